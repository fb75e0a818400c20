"""Training: rounds of games and learning, with checkpoints from which it goes on as if it had never stopped."""

from __future__ import annotations

import dataclasses
import functools
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from elimax.agent import checkpoint, weights
from elimax.agent.block_game import TOO_MUCH
from elimax.agent.boards import whole_order
from elimax.agent.config import Config
from elimax.agent.curves import COLUMNS, write_curves
from elimax.agent.devices import Devices
from elimax.agent.extras import need
from elimax.agent.learning import Learner, empty_replay, learn, optimiser_of, player_of
from elimax.agent.network import Shape, new_params
from elimax.agent.selfplay import Record, play_games
from elimax.agent.tasks import RANDOM, Tasks, drawn
from elimax.errors import CheckpointError, TrainingError

CHECKPOINT, ORDERS = "checkpoint.npz", "orders.json"
KIND = "training checkpoint"


@dataclasses.dataclass
class Best:
    """The cheapest game of a task so far.

    Attributes:
      cost: of the whole order, forced moves before the game included; a large number before the first game.
      moves: int32 [T] vertices of the board, -1 after the end.
      iteration: round in which it was played.
    """

    cost: int
    moves: np.ndarray
    iteration: int


NONE = 2**31 - 1


@functools.cache
def _compiled(config: Config, most_moves: int) -> tuple[Any, Any]:
    """Play and learn, compiled once for trainings that share settings."""
    play = jax.jit(functools.partial(play_games, player_of(config), most_moves=most_moves))
    return play, jax.jit(functools.partial(learn, config=config), donate_argnums=0)


class Trainer:
    """A training in a folder.

    Args:
      config: settings.
      tasks: graphs to train on, or None for random ones.
      folder: for checkpoints and curves; None keeps nothing.
      devices: where to compute; by default one device.
      start: a file of weights to begin with; by default they are random.

    Raises:
      CheckpointError: if the folder holds a training with other settings or tasks, or a damaged checkpoint, or the
        weights to begin with do not fit.
    """

    def __init__(
        self,
        config: Config,
        tasks: Tasks | None,
        folder: Path | None,
        devices: Devices | None = None,
        start: Path | None = None,
    ):
        for name in ("optax", "mctx") if config.method == "gumbel" else ("optax",):
            need(name)
        self.config, self.given, self.folder = config, tasks, folder
        self.devices = Devices.single() if devices is None else devices
        self.devices.check(config.games)
        self.tasks = drawn(config, 0) if tasks is None else tasks
        if config.rivals and config.rivals * len(self.tasks.setups) != config.games:
            raise TrainingError(
                f"with 'rivals' the games should be 'rivals' times the graphs, {config.rivals} times "
                f"{len(self.tasks.setups)}, got {config.games}"
            )
        self.key = jax.random.key(config.seed)
        self.iteration, self.seconds, self.cpu_seconds = 0, 0.0, 0.0
        self.rows: list[list[float]] = []
        self.best = self._no_games()
        self._play, self._learn = _compiled(config, self.tasks.most_moves)
        self.start = start
        self.learner = self.devices.everywhere(self._new_learner())
        self._experts: list[np.ndarray] | None = None
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            if (folder / CHECKPOINT).exists():
                self._load(folder / CHECKPOINT)

    def _no_games(self) -> list[Best]:
        return [Best(NONE, np.full(self.tasks.most_moves, -1, np.int32), 0) for _ in self.tasks.setups]

    def _new_learner(self) -> Learner:
        params = new_params(jax.random.fold_in(self.key, 2**31 - 1), Shape(self.config.width, self.config.layers))
        if self.start is not None:
            params = weights.fitting(self.start, params)
        replay = None
        if self.config.method == "gumbel":
            boards = jax.tree.map(jnp.asarray, self.tasks.boards(self.config.games)[0])
            record = jax.eval_shape(self._play, params, boards, self.key)
            replay = empty_replay(record, boards, self.config)
        return Learner(params, optimiser_of(self.config).init(params), replay)

    def _judged(self, record: Record, which: np.ndarray) -> Record:
        """The games with what an expert says of their moves."""
        from elimax.agent.expert import expert_order, judged

        if self._experts is None:
            self._experts = [expert_order(setup, self.config) for setup in self.tasks.setups]
        games = Record(*self.devices.gather(tuple(record)))
        found = judged(games, self.tasks.setups, which, self._experts, self.config, self.iteration)
        return record._replace(weights=self.devices.everywhere(jnp.asarray(found)))

    # --- rounds ---------------------------------------------------------------------------------------------------

    def round(self) -> dict[str, float]:
        """Play and learn once; returns a row of the curve."""
        config = self.config
        began, cpu = time.perf_counter(), time.process_time()
        if self.given is None and self.iteration and self.iteration % config.refresh == 0:
            self._draw()
        boards, which = self.tasks.boards(config.games, self.iteration * config.games)
        boards = self.devices.split(boards)
        keys = jax.random.split(jax.random.fold_in(self.key, self.iteration))
        record = self._play(self.learner.params, boards, keys[0])
        final, moves = self.devices.gather((record.final, record.moves))
        counted = final < TOO_MUCH
        if not counted.any():
            raise TrainingError(
                "every game of a round came to structures of blocks that its table lacks, so there is nothing to learn "
                'from; order these graphs with order="agent" or order="auto" without training'
            )
        self._keep_best(final, moves, which)
        if config.method == "expert":
            record = self._judged(record, which)
        shown = self.devices.everywhere(np.stack([self.best[task].moves for task in which]))
        number = self.devices.everywhere(jnp.asarray(self.iteration, jnp.int32))
        self.learner, means = self._learn(self.learner, boards, record, shown, keys[1], number)
        means = {name: float(value) for name, value in self.devices.gather(means).items()}
        self.iteration += 1
        spent = time.perf_counter() - began
        self.seconds, self.cpu_seconds = self.seconds + spent, self.cpu_seconds + time.process_time() - cpu
        opening = np.array([setup.opening_cost for setup in self.tasks.setups])[which]
        row = {
            "iteration": self.iteration,
            "games": self.iteration * config.games,
            "seconds": round(self.seconds, 3),
            "cpu_seconds": round(self.cpu_seconds, 3),
            "best": float(sum(best.cost for best in self.best)),
            "mean": float((final + opening)[counted].mean()),
            "round_best": float((final + opening).min()),
            "value_error": means["value"],
            "entropy": means["entropy"],
            "policy_loss": means["policy"],
            "games_per_second": round(config.games / spent, 2),
        }
        self.rows.append([row[name] for name in COLUMNS])
        return row

    def _whole_round(self) -> dict[str, float]:
        """A round, or where it is interrupted none of it: what is saved then is the state before."""
        plain = {name: getattr(self, name) for name in ("iteration", "seconds", "cpu_seconds", "tasks", "_experts")}
        best, number = list(self.best), len(self.rows)
        leaves, tree = jax.tree.flatten(self.learner)
        kept = [np.array(leaf) for leaf in self.devices.gather(leaves)]
        try:
            return self.round()
        except BaseException:
            vars(self).update(plain)
            self.best, self.rows = best, self.rows[:number]
            self.learner = self.devices.everywhere(jax.tree.unflatten(tree, [jnp.asarray(leaf) for leaf in kept]))
            raise

    def _draw(self) -> None:
        self.tasks = drawn(self.config, self.iteration // self.config.refresh)
        self.best, self._experts = self._no_games(), None

    def _keep_best(self, final: np.ndarray, moves: np.ndarray, which: np.ndarray) -> None:
        for task, (setup, best) in enumerate(zip(self.tasks.setups, self.best, strict=True)):
            games = np.flatnonzero(which == task)
            if games.size:
                game = games[np.argmin(final[games])]
                cost = int(final[game]) + setup.opening_cost
                if cost < best.cost and final[game] < TOO_MUCH:
                    self.best[task] = Best(cost, np.array(moves[:, game], np.int32), self.iteration)

    @property
    def proved(self) -> bool:
        """Whether the best order of every given task meets its lower bound, so that nothing is left to learn."""
        setups = zip(self.tasks.setups, self.best, strict=True)
        return self.given is not None and all(
            best.cost <= setup.opening_cost + int(setup.board.bound.sum()) for setup, best in setups
        )

    def run(self, report: Callable[[dict[str, float]], None] | None = None, until: int | None = None) -> None:
        """Go on to the end, or until every order is proved optimal, saving now and then, and when interrupted.

        Args:
          report: receives each row.
          until: stop after this many rounds in all.
        """
        last = min(self.config.iterations, until or self.config.iterations)
        saved = time.perf_counter()
        try:
            while self.iteration < last and not 0 < self.config.minutes * 60 <= self.seconds and not self.proved:
                row = self._whole_round()
                if report is not None:
                    report(row)
                if time.perf_counter() - saved >= self.config.checkpoint_seconds:
                    self.save()
                    saved = time.perf_counter()
        finally:
            self.save()

    # --- files ----------------------------------------------------------------------------------------------------

    def orders(self) -> list[dict[str, Any]]:
        """The best order of each task, priced by the reference elimination."""
        found = []
        for setup, best in zip(self.tasks.setups, self.best, strict=True):
            if best.cost < NONE:
                order, cost = whole_order(setup, [int(v) for v in best.moves if v >= 0])
                if cost != best.cost:
                    raise CheckpointError(f"the best game of {setup.name!r} costs {cost}, {best.cost} was recorded")
                found.append({"name": setup.name, "rule": self.config.rule, "multiplications": cost})
                found[-1] |= {"iteration": best.iteration, "order": [int(v) for v in order]}
        return found

    def save(self) -> None:
        """Write the checkpoint, the curves and the best orders; all is in the checkpoint."""
        if self.folder is None or not self.devices.writes:
            return
        leaves = jax.tree.leaves(self.learner)
        arrays = {f"learner {k}": np.asarray(leaf) for k, leaf in enumerate(self.devices.gather(leaves))}
        arrays["best moves"] = np.stack([best.moves for best in self.best])
        meta = {
            "config": dataclasses.asdict(self.config),
            "tasks": self.tasks.digest,
            "iteration": self.iteration,
            "seconds": self.seconds,
            "cpu_seconds": self.cpu_seconds,
            "best": [[best.cost, best.iteration] for best in self.best],
            "rows": self.rows,
        }
        checkpoint.save(self.folder / CHECKPOINT, KIND, arrays, meta)
        write_curves(self.folder, self.rows)
        text = json.dumps(self.orders(), indent=1) + "\n"
        checkpoint.write_atomically(self.folder / ORDERS, text.encode())

    def _load(self, path: Path) -> None:
        arrays, meta = checkpoint.load(path, KIND)
        self._check(path, meta)
        self.iteration, self.rows = meta["iteration"], meta["rows"]
        self.seconds, self.cpu_seconds = meta["seconds"], meta["cpu_seconds"]
        if self.given is None:
            self.tasks = drawn(self.config, max(0, self.iteration - 1) // self.config.refresh)
        pairs = zip(meta["best"], arrays["best moves"], strict=True)
        self.best = [Best(cost, moves, iteration) for (cost, iteration), moves in pairs]
        template, tree = jax.tree.flatten(self.learner)
        leaves = [arrays.get(f"learner {k}") for k in range(len(template))]
        for old, new in zip(template, leaves, strict=True):
            if new is None or new.shape != old.shape or new.dtype != old.dtype:
                raise CheckpointError(f"{path} does not fit the network of this version; begin anew in another folder")
        self.learner = self.devices.everywhere(jax.tree.unflatten(tree, [jnp.asarray(leaf) for leaf in leaves]))

    def _check(self, path: Path, meta: dict[str, Any]) -> None:
        changeable = ("iterations", "minutes", "checkpoint_seconds")
        now = dataclasses.asdict(self.config)
        other = [
            f"{name} {meta['config'].get(name)!r} -> {value!r}"
            for name, value in now.items()
            if name not in changeable and meta["config"].get(name, getattr(Config(), name)) != value
        ]
        if meta["tasks"] != self.tasks.digest:
            other.append("other tasks")
        if other:
            raise CheckpointError(
                f"{path} belongs to another training ({', '.join(other)}); name another folder, or begin anew "
                "with --fresh"
            )


def train(
    config: Config,
    tasks: Tasks | None,
    folder: Path | None = None,
    report: Callable[[dict[str, float]], None] | None = None,
    devices: Devices | None = None,
) -> Trainer:
    """Train to the end, going on from the folder's checkpoint if there is one.

    Args:
      config: settings.
      tasks: the graphs, or None for random ones.
      folder: for checkpoints and curves.
      report: receives a row after each round.
      devices: where to compute.

    Returns:
      The trainer, with the network and the best orders.
    """
    trainer = Trainer(config, tasks, folder, devices)
    trainer.run(report)
    return trainer


def export_weights(trainer: Trainer, path: Path) -> None:
    """Write the network's weights for `elimax.agent.order`.

    Args:
      trainer: a training.
      path: the file.
    """
    config = trainer.config
    params = trainer.devices.gather(trainer.learner.params)
    meta = {"config": dataclasses.asdict(config), "rounds": trainer.iteration, "seconds": round(trainer.seconds)}
    meta |= {"start": None if trainer.start is None else trainer.start.name}
    meta |= {"tasks": RANDOM if trainer.given is None else list(trainer.tasks.names)}
    weights.save(path, params, meta)
