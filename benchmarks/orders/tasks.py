"""What is asked of the order search, and what others have reached."""

from __future__ import annotations

import dataclasses

RULES = ("published", "executed")


@dataclasses.dataclass(frozen=True)
class Task:
    """A published graph.

    Attributes:
      name: of the graph file.
      seconds: time for the search.
      aims: count to reach under each rule, None where there is none.
    """

    name: str
    seconds: float
    aims: dict[str, int | None]


def _task(name: str, seconds: float, published: int, executed: int | None) -> Task:
    return Task(name, seconds, {"published": published, "executed": executed})


TASKS = (
    _task("robot_arm_6dof", 2, 221, 151),
    _task("human_heart_dipole", 2, 148, 48),
    _task("propane_combustion", 2, 88, 24),
    _task("roe_flux_1d", 5, 295, 184),
    _task("black_scholes_jacobian", 5, 297, None),
    _task("random_g", 5, 409, 276),
    _task("roe_flux_3d_scalar", 20, 616, 411),
    _task("random_f_scalar", 60, 4529, 3930),
)


@dataclasses.dataclass(frozen=True)
class Published:
    """Counts of an array program as published: Lohoff and Neftci (2024), and the best known since."""

    vertices: int
    forward: int
    reverse: int
    markowitz: int
    learned: int
    best_known: int


ARRAYS = {
    "perceptron": Published(38, 10930, 392, 4796, 389, 388),
    "encoder": Published(90, 135010, 4688, 51869, 4656, 4332),
    "roe_flux_3d": Published(143, 1556, 979, 938, 784, 639),
}
