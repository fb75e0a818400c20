"""Forward against reverse where pricing a whole order takes its time.

Blocks of arrays can grow without bound in the wrong direction: a thousand updates of one array are a chain of single
entries backwards and a thousand growing tables forwards. Both orders advance in turn; when one arrives, the other gets
as much time again and is then given up, or when it has become the dearer one.
"""

from __future__ import annotations

import time

from elimax.elimination.problem import Problem
from elimax.elimination.reference import Elimination
from elimax.order.result import Order

_TURN = 0.05
"""Seconds of one turn."""


class _Runner:
    def __init__(self, problem: Problem, name: str, vertices: tuple[int, ...]):
        self.name, self.vertices = name, vertices
        self.spent, self.position = 0.0, 0
        self._state = Elimination(problem)

    @property
    def arrived(self) -> bool:
        return self.position == len(self.vertices)

    @property
    def cost(self) -> int:
        """Cost of what has been eliminated."""
        return self._state.cost

    def advance(self) -> None:
        """Eliminate vertices for one turn."""
        start = time.perf_counter()
        while not self.arrived and time.perf_counter() - start < _TURN:
            self._state.eliminate(self.vertices[self.position])
            self.position += 1
        self.spent += time.perf_counter() - start

    def order(self) -> Order:
        return Order(self.vertices, self.cost, self.name, evaluations=1)


def forward_against_reverse(problem: Problem) -> list[Order]:
    """Price both orders, or the one that does not get lost.

    Args:
      problem: the graph and the cost rule.

    Returns:
      One or two orders.
    """
    runners = [
        _Runner(problem, "forward", problem.eliminable),
        _Runner(problem, "reverse", problem.eliminable[::-1]),
    ]
    while not any(runner.arrived for runner in runners):
        for runner in runners:
            runner.advance()
    allowed = 2 * min(runner.spent for runner in runners if runner.arrived)
    least = min(runner.cost for runner in runners if runner.arrived)
    for runner in runners:
        while not runner.arrived and runner.spent < allowed and 0 < least >= runner.cost:
            runner.advance()
    return [runner.order() for runner in runners if runner.arrived]
