"""Ordering by a trained policy in plain numpy: no compilation, edges in lists, any number of vertices, blocks too.

It computes what `elimax.agent.features` and `elimax.agent.network` compute, from the dicts of the reference
elimination. The policy is asked again after every elimination; on large graphs after a few that do not touch each
other.

Blocks: the price of a vertex is that of the algebra, exactly, divided by the mean price of a pair of edges at the
beginning, so that it has the size that it has in scalar graphs; sizes of values and of edges are features of their own.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from elimax.agent.boards import price_unit, settle
from elimax.agent.classes import num_entries
from elimax.agent.statics import SIZED, sized_of_edges, static_of_edges
from elimax.agent.weights import Weights
from elimax.elimination.problem import Problem
from elimax.elimination.reference import Elimination
from elimax.structure.term import Kind

WIDTH = 20
"""Number of features of a vertex, as in `elimax.agent.features`."""

GLOBAL = 4
"""Number of features of a position as a whole, as there."""

ROUNDS = 128
"""With more vertices left than this, several are eliminated after each look at the graph."""


class Sweep:
    """One pass over a graph.

    Args:
      problem: the graph and the cost rule.
      weights: of a network trained without bounds.

    Attributes:
      order: vertices eliminated so far.
      state: the graph.
    """

    def __init__(self, problem: Problem, weights: Weights):
        self.problem, self.weights = problem, weights
        self.state, self.waiting = Elimination(problem), set(problem.eliminable)
        self.order: list[int] = []
        self._layers = sum(name.startswith("message") for name in weights)
        # Prices that change with an elimination are those of its neighbours.
        self._price = np.zeros(problem.num_vertices, np.float32)
        self._outs = np.zeros((problem.num_vertices, (problem.num_vertices + 63) // 64), np.uint64)
        self._ins = self._outs.copy()
        # Entries of all in-edges and of all out-edges, of blocks alone.
        self._entries = np.ones((problem.num_vertices, 2), np.float32)
        self._known: dict[int, int] = {}
        self.order += settle(self.state, self.waiting)
        self._touched = set(range(problem.num_vertices))
        self._unit = 1.0 if problem.is_scalar else price_unit(self.state, self.waiting)
        self._refresh()
        self._static, self._sized = self._static_features()

    @property
    def cost(self) -> int:
        """Cost so far."""
        return self.state.cost

    @property
    def ended(self) -> bool:
        """Whether every vertex has been eliminated."""
        return not self.waiting

    def _static_features(self) -> tuple[np.ndarray, np.ndarray]:
        size = self.problem.num_vertices
        sources = np.array([u for u in range(size) for _ in self.state.outs[u]], np.int64)
        targets = np.fromiter(itertools.chain.from_iterable(self.state.outs), np.int64, sources.size)
        joined = np.array([bool(self.state.ins[v] or self.state.outs[v]) for v in range(size)], bool)
        is_input, is_output = np.zeros(size, bool), np.zeros(size, bool)
        is_input[list(self.problem.inputs)] = True
        is_output[list(self.problem.outputs)] = True
        is_input, is_output = is_input & joined, is_output & joined
        static, elements = static_of_edges(sources, targets, is_input, is_output), self.problem.elements
        if elements is None:
            return static, np.zeros((size, SIZED), np.float32)
        return static, sized_of_edges(sources, targets, is_input, is_output, elements)

    def _entries_of(self, near: dict[int, int]) -> int:
        total = 0
        for number in near.values():
            found = self._known.get(number)
            if found is None:
                found = self._known[number] = num_entries(self.problem.algebra, number)
            total += found
        return total

    def _refresh(self) -> None:
        """Bring prices and bits of touched vertices up to date."""
        state = self.state
        for v in self._touched:
            self._price[v] = self._price_of(v) / self._unit if v in self.waiting else 0.0
            for bits, near in ((self._outs, state.outs[v]), (self._ins, state.ins[v])):
                row = np.zeros(bits.shape[1] * 64, np.uint8)
                row[list(near)] = 1
                bits[v] = np.packbits(row, bitorder="little").view(np.uint64)
            if not self.problem.is_scalar:
                self._entries[v] = self._entries_of(state.ins[v]), self._entries_of(state.outs[v])
        self._touched.clear()

    def _price_of(self, v: int) -> int:
        """As `Elimination.price`; of scalars by counting, without a look at each pair."""
        ins, outs = self.state.ins[v], self.state.outs[v]
        if not self.problem.is_scalar:
            return self.state.price(v)
        if self.problem.rule == "published":
            return len(ins) * len(outs)
        entering, leaving = list(ins.values()), list(outs.values())
        known_in, known_out = len(ins) - entering.count(Kind.UNIT), len(outs) - leaving.count(Kind.UNIT)
        return known_in * known_out - entering.count(Kind.CONSTANT) * leaving.count(Kind.CONSTANT)

    def step(self, choose: Callable[[np.ndarray], np.ndarray]) -> None:
        """Look at the graph and eliminate one or a few vertices.

        Args:
          choose: gives each logit [n] a key; the largest goes first.
        """
        here, logits = self.logits()
        count = max(1, -(-len(self.waiting) // ROUNDS))
        keys = choose(logits)
        near: set[int] = set()
        for k in np.argsort(-keys, kind="stable")[: 4 * count]:
            v = int(here[k])
            if v in near or v not in self.waiting:
                continue
            neighbours = {*self.state.ins[v], *self.state.outs[v]}
            self.state.eliminate(v)
            self.waiting.discard(v)
            self.order.append(v)
            self._touched |= neighbours | {v}
            near |= neighbours
            count -= 1
            if not count:
                break
        self._settle_near()
        self._refresh()

    def _settle_near(self) -> None:
        """Forced moves can only arise among what was touched, and go on from there."""
        fresh = self._touched & self.waiting
        while fresh:
            others = self.waiting - fresh
            before = set(fresh)
            marked = {u for v in fresh for u in (*self.state.ins[v], *self.state.outs[v])}
            made = settle(self.state, fresh)
            self.waiting = others | fresh
            self.order += made
            self._touched |= before | marked
            fresh = marked & self.waiting if made else set()

    def logits(self) -> tuple[np.ndarray, np.ndarray]:
        """The policy.

        Returns:
          Vertices still to be eliminated, int [n], and their logits, float32 [n].
        """
        alive, sources, targets, starts_out, starts_in, sources_in = self._edges()
        features, whole = self._features(alive, sources, targets)
        return self._network(alive, features, whole, targets, starts_out, sources_in, starts_in)

    def _edges(self) -> tuple[np.ndarray, ...]:
        """Vertices with edges, and edges by them: sorted by source, and the sources sorted by target."""
        outs, ins, size = self.state.outs, self.state.ins, self.problem.num_vertices
        num_out = np.fromiter(map(len, outs), np.int64, size)
        num_in = np.fromiter(map(len, ins), np.int64, size)
        alive = np.flatnonzero(num_out + num_in)
        place = np.zeros(size, np.int64)
        place[alive] = np.arange(alive.size)
        count = int(num_out.sum())
        targets = place[np.fromiter(itertools.chain.from_iterable(outs), np.int64, count)]
        sources_in = place[np.fromiter(itertools.chain.from_iterable(ins), np.int64, count)]
        starts_out = np.concatenate([[0], np.cumsum(num_out[alive])])
        starts_in = np.concatenate([[0], np.cumsum(num_in[alive])])
        sources = np.repeat(np.arange(alive.size), num_out[alive])
        return alive, sources, targets, starts_out, starts_in, sources_in

    def _features(self, alive: np.ndarray, sources: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        size = alive.size
        num_out = np.bincount(sources, minlength=size).astype(np.float32)
        num_in = np.bincount(targets, minlength=size).astype(np.float32)
        here = np.fromiter((v in self.waiting for v in alive.tolist()), np.float32, size)
        outs, ins, cost = self._outs[alive], self._ins[alive], self._price[alive]
        same_targets = np.bitwise_count(outs[sources] & outs[targets]).sum(1, dtype=np.int64).astype(np.float32)
        same_sources = np.bitwise_count(ins[sources] & ins[targets]).sum(1, dtype=np.int64).astype(np.float32)
        pairs = num_in * num_out
        fill = pairs - np.bincount(targets, same_targets, size) - num_in - num_out
        into = here[sources] * num_in[sources] * (num_out[targets] - same_targets - 1.0)
        out_of = here[targets] * num_out[targets] * (num_in[sources] - same_sources - 1.0)
        growth = np.bincount(targets, into, size) + np.bincount(sources, out_of, size)
        count, total = here.sum(), cost.sum()
        dynamic = [
            here,
            np.log1p(num_in),
            np.log1p(num_out),
            np.log1p(cost),
            np.log1p(cost),
            0.5 * _symlog(fill),
            0.5 * _symlog(growth),
            np.minimum(cost / np.maximum(pairs, 1.0), 1.0),
            np.log1p(cost) - np.log1p(total / max(count, 1.0)),
        ]
        sizes = [self._sized[alive], np.zeros((size, 2), np.float32)]
        if not self.problem.is_scalar:
            counts = np.maximum(np.stack([num_in, num_out], -1), 1.0)
            sizes[1] = 0.5 * np.log(np.maximum(self._entries[alive] / counts, 1.0))
        features = np.concatenate([self._static[alive], np.stack(dynamic, -1).astype(np.float32), *sizes], 1)
        published = float(self.problem.rule == "published" and self.problem.is_scalar)
        return features, np.array([np.log1p(count), np.log1p(total), 0.0, published], np.float32)

    def _network(
        self,
        alive: np.ndarray,
        features: np.ndarray,
        whole: np.ndarray,
        targets: np.ndarray,
        starts_out: np.ndarray,
        sources: np.ndarray,
        starts_in: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        def linear(name: str, x: np.ndarray) -> np.ndarray:
            return x @ self.weights[name]["w"] + self.weights[name]["b"]

        h = linear("embed2", _relu(linear("embed", features)))
        for layer in range(self._layers):
            n = _normed(h)
            mixed = np.concatenate([n, _means(n, sources, starts_in), _means(n, targets, starts_out)], 1)
            h = h + linear(f"update{layer}", _relu(linear(f"message{layer}", mixed)))
        h = _relu(_normed(h))
        chosen = features[:, 6] > 0
        left = h[chosen]
        pooled = np.concatenate([left.mean(0), left.max(0), whole]).astype(np.float32)
        context = _relu(linear("context", pooled))
        policy = self.weights["policy"]
        d = context.size
        mixed = _relu(left @ policy["w"][:d] + (context @ policy["w"][d:] + policy["b"]))
        return alive[chosen], linear("logit", mixed)[:, 0]


def _symlog(x: np.ndarray) -> np.ndarray:
    return np.sign(x) * np.log1p(np.abs(x))


def _relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0.0)


def _normed(x: np.ndarray) -> np.ndarray:
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + np.float32(1e-6))


def _means(h: np.ndarray, ends: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Sum of the rows of ``h`` at the ends of a vertex's edges over one more than their number, [n, D]."""
    counts = np.diff(starts)
    result = np.zeros_like(h)
    some = counts > 0
    if some.any():
        result[some] = np.add.reduceat(h[ends], starts[:-1][some], axis=0)
    return result / (1.0 + counts[:, None]).astype(np.float32)
