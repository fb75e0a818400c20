"""Training: it learns, goes on as if it had never stopped, and tells what is wrong."""

from __future__ import annotations

import copy
import dataclasses
import errno
import json
import os
import signal
import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.problems import random_graph

pytest.importorskip("optax")

from elimax.agent import checkpoint, config, extras, weights
from elimax.agent.block_families import draw_block_graph
from elimax.agent.boards import settle, whole_order
from elimax.agent.config import Config
from elimax.agent.curves import COLUMNS
from elimax.agent.devices import Devices
from elimax.agent.expert import expert_order, judged
from elimax.agent.learning import replayed
from elimax.agent.losses import against_rivals
from elimax.agent.selfplay import Record
from elimax.agent.tasks import drawn, of_graphs
from elimax.agent.training import CHECKPOINT, KIND, Trainer, export_weights
from elimax.elimination.reference import Elimination
from elimax.errors import CheckpointError, MissingExtraError, TrainingError
from elimax.graph import json as graph_files
from elimax.order import search

GRAPH = random_graph(5, middle=14, degree=3)
SMALL = Config(games=8, iterations=4, width=8, layers=1, batch=32, elite=0.1)
SEARCHING = dataclasses.replace(SMALL, method="gumbel", simulations=3, considered=2, replay=2, games=4, reanalyse=0.2)
EXPERT = Config("expert", games=4, iterations=20, width=8, layers=1, batch=32, graphs=2, smallest=10, largest=20)
EXPERT = dataclasses.replace(EXPERT, bounds=False, refresh=12, learning_rate=0.01, epochs=4, tolerance=0.02, polish=5)
TIMES = [COLUMNS.index(name) for name in ("seconds", "cpu_seconds", "games_per_second")]


def tasks(chosen=SMALL):
    return of_graphs([("small", GRAPH)], chosen)


def without_times(rows):
    return [[value for k, value in enumerate(row) if k not in TIMES] for row in rows]


def assert_same_training(a, b):
    for one, other in zip(jax.tree.leaves(a.learner), jax.tree.leaves(b.learner), strict=True):
        np.testing.assert_array_equal(one, other)
    assert without_times(a.rows) == without_times(b.rows)
    assert a.orders() == b.orders()


@pytest.mark.parametrize("chosen", [SMALL, pytest.param(SEARCHING, marks=pytest.mark.slow)], ids=["ppo", "gumbel"])
def test_a_training_that_goes_on_is_the_same_bit_by_bit(chosen, tmp_path):
    if chosen.method == "gumbel":
        pytest.importorskip("mctx")
    whole = Trainer(chosen, tasks(chosen), None)
    whole.run()
    first = Trainer(chosen, tasks(chosen), tmp_path)
    first.run(until=2)
    first.round()  # what comes after a checkpoint is lost in a kill, and done again
    second = Trainer(chosen, tasks(chosen), tmp_path)
    assert second.iteration == 2
    second.run()
    assert second.iteration == 4
    assert_same_training(whole, second)
    assert (tmp_path / "curve.csv").read_text().splitlines()[0] == ",".join(COLUMNS)
    assert len(json.loads((tmp_path / "curve.json").read_text())["best"]) == 4
    found = json.loads((tmp_path / "orders.json").read_text())
    assert search(GRAPH, found[0]["order"], "published").multiplications == found[0]["multiplications"]


def test_an_interrupt_within_a_round_leaves_the_state_before_it(tmp_path, monkeypatch):
    whole = Trainer(SMALL, tasks(), None)
    whole.run()
    first = Trainer(SMALL, tasks(), tmp_path)
    learn, rounds = first._learn, []

    def interrupted(*args):
        rounds.append(learn(*args))
        if len(rounds) == 3:
            raise KeyboardInterrupt
        return rounds[-1]

    monkeypatch.setattr(first, "_learn", interrupted)
    with pytest.raises(KeyboardInterrupt):
        first.run()
    second = Trainer(SMALL, tasks(), tmp_path)
    assert second.iteration == len(second.rows) == 2
    second.run()
    assert_same_training(whole, second)


def wait_for_rounds(process, path, rounds):
    """The rounds in a checkpoint that another process writes, once there are so many."""
    until = time.monotonic() + 300
    while time.monotonic() < until:
        assert process.poll() is None, process.communicate()
        if path.exists():
            done = checkpoint.load(path, KIND)[1]["iteration"]
            if done >= rounds:
                return done
        time.sleep(0.02)
    raise AssertionError(f"no checkpoint of {rounds} rounds came at {path}")


@pytest.mark.slow
def test_a_killed_process_goes_on_bit_by_bit(tmp_path):
    """It saves after every round, so some kills meet it while it writes; what they leave is a whole checkpoint."""
    settings = {"games": 4, "iterations": 100_000, "width": 8, "layers": 1, "batch": 16, "checkpoint_seconds": 0.0}
    settings["bounds"] = False  # else it could prove its order optimal and end by itself
    graph_files.dump(GRAPH, tmp_path / "graph.json")
    (tmp_path / "settings.toml").write_text(
        "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())
    )
    words = [sys.executable, "-m", "elimax", "train", str(tmp_path / "graph.json"), "--config"]
    words += [str(tmp_path / "settings.toml"), "--output", str(tmp_path / "out")]
    done = 0
    for _ in range(2):  # the second process goes on from what the first left, and is killed too
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            done = wait_for_rounds(process, tmp_path / "out" / CHECKPOINT, done + 3)
        finally:
            process.send_signal(signal.SIGKILL)
            told = process.communicate()
        assert process.returncode == -signal.SIGKILL, told
    chosen = Config(**settings)
    given = of_graphs([(GRAPH.name, GRAPH)], chosen)
    left = Trainer(chosen, given, tmp_path / "out")
    assert left.iteration >= done
    last = left.iteration + 3
    left.run(until=last)
    whole = Trainer(chosen, given, None)
    whole.run(until=last)
    assert whole.iteration == left.iteration == last
    assert_same_training(whole, left)


@pytest.mark.slow
def test_random_tasks_go_on_too(tmp_path):
    chosen = dataclasses.replace(SMALL, graphs=3, refresh=2, smallest=6, largest=8, bounds=False, elite=0.0)
    whole = Trainer(chosen, None, None)
    whole.run()
    Trainer(chosen, None, tmp_path).run(until=3)
    second = Trainer(chosen, None, tmp_path)
    second.run()
    assert_same_training(whole, second)
    assert second.tasks.names == drawn(chosen, 1).names


@pytest.mark.slow
def test_it_learns_from_nothing():
    """On a graph with a wide range of costs the mean over games falls and the cheapest order is found."""
    graph = random_graph(2, inputs=6, middle=16, outputs=5, degree=3)
    chosen = Config(games=32, iterations=10, width=16, layers=1, batch=64, learning_rate=3e-3, seed=1)
    trainer = Trainer(chosen, of_graphs([("wide", graph)], chosen), None)
    trainer.run()
    mean = [row[COLUMNS.index("mean")] for row in trainer.rows]
    assert np.mean(mean[-2:]) < np.mean(mean[:2]) - 1.0
    known = search(graph, "auto", "published", max_evaluations=20_000)
    assert known.lower_bound <= trainer.best[0].cost <= 1.1 * known.multiplications


def test_a_full_disk_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    trainer = Trainer(SMALL, tasks(), tmp_path)
    trainer.run(until=1)
    before = (tmp_path / CHECKPOINT).read_bytes()

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    trainer.iteration = 7
    with pytest.raises(OSError, match="No space"):
        trainer.save()
    assert (tmp_path / CHECKPOINT).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    assert Trainer(SMALL, tasks(), tmp_path).iteration == 1


def saved(path):
    checkpoint.save(path, "thing", {"a": np.arange(1000)}, {"x": 1})
    return path


def test_checkpoints_come_back(tmp_path):
    arrays, meta = checkpoint.load(saved(tmp_path / "c.npz"), "thing")
    np.testing.assert_array_equal(arrays["a"], np.arange(1000))
    assert meta == {"x": 1}


@pytest.mark.parametrize("where", [0.0, 0.3, 0.6, 0.95])
@pytest.mark.parametrize("how", ["cut", "flip"])
def test_damaged_checkpoints(where, how, tmp_path):
    path = saved(tmp_path / "c.npz")
    data = bytearray(path.read_bytes())
    place = int(where * len(data))
    if how == "cut":
        data = data[:place]
    else:
        data[place] ^= 0xFF
    path.write_bytes(bytes(data))
    with pytest.raises(CheckpointError, match="damaged"):
        checkpoint.load(path, "thing")


def test_checkpoints_of_another_version(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "FORMAT", 99)
        path = saved(tmp_path / "c.npz")
    with pytest.raises(CheckpointError, match=r"format 99.*format 1 was expected; use the version"):
        checkpoint.load(path, "thing")
    with pytest.raises(CheckpointError, match="'agent' of format 1 was expected"):
        checkpoint.load(saved(path), "agent")
    with pytest.raises(CheckpointError, match="there is no agent at"):
        checkpoint.load(tmp_path / "none.npz", "agent")


def test_another_training_in_the_folder(tmp_path):
    Trainer(SMALL, tasks(), tmp_path).save()
    with pytest.raises(CheckpointError, match=r"another training \(width 8 -> 16\)"):
        Trainer(dataclasses.replace(SMALL, width=16), tasks(), tmp_path)
    other = of_graphs([("other", random_graph(6, middle=14, degree=3))], SMALL)
    with pytest.raises(CheckpointError, match="other tasks"):
        Trainer(SMALL, other, tmp_path)
    assert Trainer(dataclasses.replace(SMALL, iterations=9), tasks(), tmp_path).iteration == 0


def test_weights_come_back(tmp_path):
    trainer = Trainer(SMALL, tasks(), None)
    export_weights(trainer, tmp_path / "w.npz")
    loaded, meta = weights.load(tmp_path / "w.npz")
    assert meta["tasks"] == ["small"]
    for a, b in zip(jax.tree.leaves(trainer.learner.params), jax.tree.leaves(loaded), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(CheckpointError, match="'agent' of format 1 was expected"):
        weights.load(saved(tmp_path / "c.npz"))


def test_a_training_can_begin_with_weights(tmp_path):
    trainer = Trainer(SMALL, tasks(), None)
    trainer.round()
    export_weights(trainer, tmp_path / "w.npz")
    second = Trainer(dataclasses.replace(SMALL, seed=1), tasks(), None, start=tmp_path / "w.npz")
    for a, b in zip(jax.tree.leaves(trainer.learner.params), jax.tree.leaves(second.learner.params), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(CheckpointError, match="a network of another size; set 'width'"):
        Trainer(dataclasses.replace(SMALL, width=16), tasks(), None, start=tmp_path / "w.npz")


def test_games_are_compared_with_their_rivals():
    """Of six games on two boards the cheapest on each board gets the same credit, whatever the boards cost."""
    credit = against_rivals(jnp.array([10, 1000, 12, 1200, 14, 1400]), 3).reshape(3, 2)
    np.testing.assert_allclose(credit.sum(0), 0.0, atol=1e-5)
    np.testing.assert_allclose(credit[:, 0], credit[:, 1], rtol=0.02, atol=1e-6)
    assert (credit[0] > 1).all()
    with pytest.raises(TrainingError, match="'rivals' times the graphs, 3 times 1, got 8"):
        Trainer(dataclasses.replace(SMALL, rivals=3), tasks(), None)


def test_missing_extra():
    with pytest.raises(MissingExtraError, match=r'pip install "elimax\[agent\]"'):
        extras.need("a_package_that_is_not_there")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("games = 0", "'games' should be one or more"),
        ("games = 'many'", "'games' should be of type int, got 'many'"),
        ("game = 3", "unknown setting 'game'; expected some of method, rule"),
        ("method = 'magic'", "'method' should be one of"),
        ("learning_rate = -1.0", "'learning_rate' should be zero or more"),
        ("clip = nan", "'clip' should be zero or more"),
        ("bounds = 1", "'bounds' should be of type bool"),
        ("reanalyse = 2.0", "share from 0 to 1"),
        ("smallest = 50\nlargest = 20", "smallest <= largest"),
        ("partials = 'both'", "'partials' should be one of"),
        ("classes = 256", "'classes' should be from 7 to 255"),
        ("games = ", "is no TOML file"),
    ],
)
def test_bad_settings(text, message, tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text(text)
    with pytest.raises(TrainingError, match=message):
        config.load(path)


def test_settings(tmp_path):
    path = tmp_path / "settings.toml"
    path.write_text("games = 12\nlearning_rate = 1\n")
    assert config.load(path, seed=3, games=None) == Config(games=12, learning_rate=1, seed=3)
    with pytest.raises(TrainingError, match="cannot be read"):
        config.load(tmp_path / "none.toml")


def test_tasks_that_cannot_be_trained_on():
    with pytest.raises(TrainingError, match="anything to decide"):
        of_graphs([("tiny", random_graph(0, middle=0, outputs=1))], SMALL)
    blocks = draw_block_graph(np.random.default_rng(0), 12)
    with pytest.raises(TrainingError, match="'small' of these tasks are graphs of scalars"):
        of_graphs([("small", GRAPH), ("blocks", blocks)], SMALL)
    assert of_graphs([("blocks", blocks)], SMALL).setups[0].board.classes is not None


def test_positions_are_replayed():
    trainer = Trainer(SMALL, tasks(), None)
    boards = trainer.tasks.boards(8)[0]
    record = trainer._play(trainer.learner.params, boards, jax.random.key(3))
    sample = replayed(boards, record.moves.T)
    played = np.asarray(record.moves).reshape(-1) >= 0
    np.testing.assert_array_equal(sample.valid > 0, played)
    np.testing.assert_array_equal(
        np.asarray(sample.outs)[played], np.asarray(record.outs).reshape(sample.outs.shape)[played]
    )
    setup = trainer.tasks.setups[0]
    for game in range(8):
        moves = [int(v) for v in record.moves[:, game] if v >= 0]
        assert whole_order(setup, moves)[1] == int(record.final[game]) + setup.opening_cost


@pytest.mark.slow
@pytest.mark.parametrize("partials", ["scalars", "blocks"])
def test_an_expert_says_what_moves_lose(partials):
    """The reference elimination is asked for each move: the move first, then the expert's order."""
    trainer = Trainer(dataclasses.replace(EXPERT, partials=partials), None, None)
    chosen = dataclasses.replace(trainer.config, polish=0, tolerance=1e3)
    setups, (boards, which) = trainer.tasks.setups, trainer.tasks.boards(4)
    record = Record(*map(np.asarray, trainer._play(trainer.learner.params, boards, jax.random.key(0))))
    orders = [expert_order(setup, chosen) for setup in setups]
    losses = judged(record, setups, which, orders, chosen, 0)
    for game in range(2):
        setup, moves, whole = setups[which[game]], record.moves[:, game], 0
        for t in (0, 3):
            state, waiting = Elimination(setup.problem), set(setup.problem.eliminable)
            settle(state, waiting)
            for move in moves[:t]:
                state.eliminate(setup.labels[move])
                waiting.discard(setup.labels[move])
                settle(state, waiting)
            rest = [setup.labels[v] for v in orders[which[game]] if setup.labels[v] in waiting]

            def cost(order, state=state):
                copied = copy.deepcopy(state)
                for v in order:
                    copied.eliminate(v)
                return copied.cost - state.cost

            whole = whole or max(cost(rest), 1)
            found = [cost([v, *(u for u in rest if u != v)]) for v in rest]
            expected = [(one - min(found)) / whole for one in found]
            places = [setup.labels.index(v) for v in rest]
            np.testing.assert_allclose(losses[t, game, places], expected, atol=1e-5)


def test_an_expert_teaches_and_a_training_by_it_goes_on_bit_by_bit(tmp_path):
    """Also where graphs were drawn anew before the checkpoint."""
    whole = Trainer(EXPERT, None, None)
    whole.run()
    column = COLUMNS.index("policy_loss")
    assert whole.rows[11][column] < 0.1 * whole.rows[0][column]
    Trainer(EXPERT, None, tmp_path).run(until=14)
    second = Trainer(EXPERT, None, tmp_path)
    second.run()
    assert_same_training(whole, second)


@pytest.mark.slow
def test_games_split_over_devices():
    """The same games on one device and on all of them; learning differs by rounding alone."""
    assert jax.device_count() > 1
    one, many = Trainer(SMALL, tasks(), None), Trainer(SMALL, tasks(), None, Devices.all())
    rows = [trainer.round() for trainer in (one, many)]
    assert {name: rows[0][name] for name in ("best", "mean", "round_best")} == {
        name: rows[1][name] for name in ("best", "mean", "round_best")
    }
    for a, b in zip(jax.tree.leaves(one.learner.params), jax.tree.leaves(many.learner.params), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-2, atol=2e-4)
    assert len(jnp.asarray(jax.tree.leaves(many.learner.params)[0]).sharding.device_set) == jax.device_count()
    with pytest.raises(TrainingError, match="divisible by the"):
        Trainer(dataclasses.replace(SMALL, games=7), tasks(), None, Devices.all())


@pytest.mark.slow
def test_two_processes(tmp_path):
    """Two processes with one CPU device each train one network; the first writes."""
    graph_files.dump(GRAPH, tmp_path / "graph.json")
    (tmp_path / "settings.toml").write_text("games = 8\niterations = 2\nwidth = 8\nlayers = 1\nbatch = 32\n")
    port = 20000 + os.getpid() % 20000
    words = [sys.executable, "-m", "elimax", "train", str(tmp_path / "graph.json"), "--config"]
    words += [str(tmp_path / "settings.toml"), "--output", str(tmp_path / "out"), "--json"]
    environment = {**os.environ, "XLA_FLAGS": "", "JAX_PLATFORMS": "cpu"}
    running = [
        subprocess.Popen(
            [*words, "--distributed", f"localhost:{port},2,{index}"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in range(2)
    ]
    told = [process.communicate(timeout=400) for process in running]
    assert [process.returncode for process in running] == [0, 0], told
    assert json.loads(told[0][0].splitlines()[-1])["rounds"] == 2
    assert "{" not in told[1][0]  # the collectives of the CPU say a word of their own
    assert (tmp_path / "out" / CHECKPOINT).exists()
