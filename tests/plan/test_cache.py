"""Searched orders survive on disk, and nothing that happens to the files can do harm."""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

import elimax
from elimax.plan import make
from elimax.plan.cache import Question, folder, sweep


def chain(x):
    for k in range(20):
        x = jnp.sin(x) * x + k
    return x


class Forgetful(dict):
    """A memory that remembers nothing."""

    def __setitem__(self, key, value):
        pass


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ELIMAX_CACHE_DIR", str(tmp_path))
    monkeypatch.delenv("ELIMAX_CACHE", raising=False)
    # What the process remembers would hide what is on the disk.
    monkeypatch.setattr(make, "_MEMORY", Forgetful())
    return tmp_path / "orders"


@pytest.fixture
def searches(monkeypatch):
    """Counts the searches that are really made."""
    made = []

    def counted(*args, **kwargs):
        made.append(args[1])
        return original(*args, **kwargs)

    original = make.search
    monkeypatch.setattr(make, "search", counted)
    return made


def files(cache):
    return sorted(cache.glob("*.json"))


def test_the_second_plan_is_not_searched(cache, searches):
    first = elimax.plan(chain, 0.5)
    second = elimax.plan(chain, 0.5)
    assert searches == ["auto"]
    assert len(files(cache)) == 1
    assert (second.order, second.multiplications, second.method) == (first.order, first.multiplications, first.method)


def test_a_second_process_finds_the_plan(cache):
    elimax.plan(chain, 0.5)
    before = files(cache)
    code = (
        "import elimax\nfrom elimax.plan import make\n"
        "from tests.plan.test_cache import chain\n"
        "def refuse(*args, **kwargs): raise SystemExit('searched again')\n"
        "make.search = refuse\n"
        "elimax.plan(chain, 0.5)\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert files(cache) == before


@pytest.mark.parametrize(("order", "cost", "seed"), [("auto", "published", 0), ("auto", "executed", 1)])
def test_another_question_has_another_answer(cache, searches, order, cost, seed):
    elimax.plan(chain, 0.5)
    elimax.plan(chain, 0.5, order=order, cost=cost, seed=seed)
    assert len(searches) == 2
    assert len(files(cache)) == 2


def test_another_shape_of_the_same_graph_is_another_question(cache, searches):
    elimax.plan(chain, 0.5)
    elimax.plan(chain, jnp.ones(3))
    assert len(searches) == 2


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "[1, 2]",
        lambda text: json.dumps({**json.loads(text), "format": 99}),
        lambda text: json.dumps({**json.loads(text), "question": None}),
        lambda text: text.replace('"vertices": [', '"vertices": [0, '),
    ],
    ids=["truncated", "empty", "foreign", "stale", "other question", "wrong order"],
)
def test_a_damaged_file_is_set_aside_and_replaced(cache, searches, damage):
    first = elimax.plan(chain, 0.5)
    (path,) = files(cache)
    path.write_text(damage(path.read_text()))
    with pytest.warns(elimax.ElimaxWarning, match="damaged"):
        second = elimax.plan(chain, 0.5)
    assert second.multiplications == first.multiplications
    assert len(searches) == 2
    assert path.with_suffix(".broken").exists()
    elimax.plan(chain, 0.5)
    assert len(searches) == 2


def test_binary_rubbish_is_set_aside(cache):
    elimax.plan(chain, 0.5)
    (path,) = files(cache)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.warns(elimax.ElimaxWarning, match="damaged"):
        elimax.plan(chain, 0.5)


def test_it_can_be_switched_off(cache, searches, monkeypatch):
    monkeypatch.setenv("ELIMAX_CACHE", "off")
    assert folder() is None
    elimax.plan(chain, 0.5)
    elimax.plan(chain, 0.5)
    assert len(searches) == 2
    assert not cache.exists()


def test_a_folder_that_cannot_be_written_is_a_warning(tmp_path, monkeypatch):
    blocker = tmp_path / "file"
    blocker.write_text("")
    monkeypatch.setenv("ELIMAX_CACHE_DIR", str(blocker))
    make.forget()
    with pytest.warns(elimax.ElimaxWarning):
        plan = elimax.plan(chain, 0.5)
    assert plan.order


def test_the_oldest_files_go_first(tmp_path):
    import os

    for age in range(4):
        path = tmp_path / f"{age}.json"
        path.write_text("x" * 100)
        os.utime(path, (1000 - age, 1000 - age))
    assert sweep(tmp_path, max_bytes=250) == 2
    assert {p.name for p in tmp_path.iterdir()} == {"0.json", "1.json"}


def test_the_file_name_depends_on_the_version():
    a = Question("h", "auto", "executed", None, None, 0, "1.0")
    b = Question("h", "auto", "executed", None, None, 0, "1.1")
    assert a.file_name != b.file_name


def _plan_many(directory):
    import os

    os.environ["ELIMAX_CACHE_DIR"] = directory
    return [elimax.plan(chain, 0.5, seed=k % 2).multiplications for k in range(6)]


def test_many_processes_at_once(cache):
    cache.mkdir(parents=True)
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        counts = pool.map(_plan_many, [str(cache.parent)] * 3)
    assert len({count for row in counts for count in row}) == 1
    assert len(files(cache)) == 2
    assert not list(cache.glob("*.part"))
    assert not list(cache.glob("*.broken"))


def test_a_process_remembers_without_the_disk(searches, monkeypatch):
    monkeypatch.setenv("ELIMAX_CACHE", "off")
    make.forget()
    jacobian = elimax.jacobian(chain)
    for x in (0.1, 0.2, 0.3):
        jacobian(x)
    assert len(searches) == 1


def test_the_plan_that_was_kept_is_used_by_the_jacobian(cache):
    plan = elimax.plan(chain, 0.5)
    got = jax.jit(elimax.jacobian(chain, order=plan))(0.5)
    assert jnp.allclose(got, jax.jit(jax.grad(chain))(0.5))


def test_a_search_that_is_watched_is_kept_too(cache, searches):
    from elimax.order.progress import Progress

    first = elimax.plan(chain, 0.5, progress=Progress())
    progress = Progress()
    second = elimax.plan(chain, 0.5, progress=progress)
    assert searches == ["auto"]
    assert second.order == first.order
    assert progress.best is not None
    assert (progress.best.multiplications, progress.lower_bound) == (first.multiplications, first.lower_bound)


def test_an_interrupted_search_is_not_kept(cache, searches, monkeypatch):
    from elimax.order import auto

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(auto, "cut_bound", interrupted)
        first = elimax.plan(chain, 0.5)
    assert not files(cache)
    second = elimax.plan(chain, 0.5)
    assert searches == ["auto", "auto"]
    assert len(files(cache)) == 1
    assert second.multiplications <= first.multiplications


def test_the_folder_stays_below_its_size(cache, monkeypatch):
    """Writing sweeps now and then; here every time."""
    from elimax.plan import cache as module

    monkeypatch.setattr(module, "_SWEEP_EVERY", 1)
    elimax.plan(chain, 0.5)
    (path,) = files(cache)
    monkeypatch.setattr(module.sweep, "__defaults__", (3 * path.stat().st_size,))
    for seed in range(1, 8):
        elimax.plan(chain, 0.5, seed=seed)
    assert 1 <= len(files(cache)) <= 3
    assert path not in files(cache)
