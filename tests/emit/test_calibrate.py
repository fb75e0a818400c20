"""The weights of the time model: fitted to times, stored, and used."""

import dataclasses
import json
import random
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from click.testing import CliRunner

import elimax
from elimax._jax import trace
from elimax._jax.staged import Place
from elimax.cli.app import app
from elimax.emit import machines, points
from elimax.emit.choose import choose
from elimax.emit.counting import count
from elimax.emit.fit import Fit, Quality, Row, assess, fit
from elimax.emit.model import DEFAULT, Machine
from elimax.emit.samples import ALONE, LOOPED, cases, sample
from elimax.emit.scalarise import scalarise
from elimax.errors import ElimaxWarning

KIND = "cpu test, 2 cores"


@pytest.fixture(autouse=True)
def fresh(cache_dir):
    machines.forget()
    yield cache_dir
    machines.forget()


def program(seed):
    drawn = sample(random.Random(seed))
    x = jnp.full((drawn.inputs,), 0.5, [jnp.float32, jnp.float64][seed % 2])
    return scalarise(trace(lambda x: [elimax.jacobian(drawn, form="plain")(x)], [x]))


@pytest.fixture(scope="module")
def programs():
    found = [program(seed) for seed in range(16)]
    return [p for p in found if p is not None and p.steps]


def times(programs, machine, noise=0.0):
    rng = np.random.default_rng(0)
    rows = []
    for p in programs:
        counts = {**count(p), "points": points.count(p)}
        for looped, batches in ((False, ALONE), (True, LOOPED)):
            for batch in batches:
                own = {form: counts[form] for form in ("plain", "loop", *([] if looped else ["points"]))}
                row = Row(own, batch, looped, {}, 100)
                exact = row.predicted(machine, (300.0, 0.1))
                measured = {f: t * float(np.exp(noise * rng.standard_normal())) for f, t in exact.items()}
                rows.append(dataclasses.replace(row, measured=measured))
    return rows


OTHER = dataclasses.replace(
    DEFAULT, unit_32=0.03, unit_64=0.05, element_32=0.5, element_64=0.8, operation=60.0, turn=0.5, call=15000.0
)
CHANGED = ("unit_32", "unit_64", "element_32", "element_64", "operation", "turn", "call")


def test_fit_recovers_weights(programs):
    found = fit(times(programs, OTHER))
    for name in CHANGED:
        assert getattr(found.machine, name) == pytest.approx(getattr(OTHER, name), rel=0.4), name
    assert found.after.error < 1.05 < found.before.error
    assert found.after.regret <= found.before.regret
    assert found.after.correlation > 0.999


def test_fit_bears_noise_and_outliers(programs):
    rows = times(programs, OTHER, noise=0.1)
    for k in range(0, len(rows), 20):  # another program ran meanwhile
        slow = {"plain": 50 * rows[k].measured["plain"], "loop": 1e6}
        rows[k] = dataclasses.replace(rows[k], measured={**rows[k].measured, **slow})
    machine = fit(rows).machine
    assert assess(times(programs, OTHER), machine, (300.0, 0.1)).error < 1.15


def test_fit_of_nothing_is_the_start():
    assert fit([]).machine == DEFAULT


def chosen(*regrets):
    return Quality(0.9, 1.5, regrets)


def test_weights_hold_unless_they_choose_worse_by_more_than_chance():
    def holds(before, after):
        return Fit(DEFAULT, (1.0, 1.0), before, after).holds

    assert holds(chosen(1.0, 1.0), chosen(1.0, 1.0))
    assert holds(chosen(1.5), chosen(1.0))
    assert not holds(chosen(1.0), chosen(1.5))
    assert holds(chosen(1.0, 1.4, 1.0, 1.2), chosen(1.0, 1.0, 1.5, 1.2))
    assert not holds(chosen(1.0, 1.0, 1.0, 1.1), chosen(1.3, 1.2, 1.3, 1.4))


def test_fit_keeps_what_times_do_not_show(programs):
    rows = [row for row in times(programs, OTHER) if row.looped]
    assert fit(rows).machine.call == pytest.approx(DEFAULT.call)


def test_cases_depend_on_the_seed_alone():
    both = ("float32", "float64")
    assert cases(3, both) == cases(3, both) != cases(4, both)
    assert {case.dtype for case in cases(0, ("float32",))} == {"float32"}


def test_weights_come_back(fresh):
    assert machines.load(KIND) is None
    path = machines.store(OTHER, KIND, {"programs": 3})
    assert path.parent == fresh / "machines"
    assert machines.load(KIND) == OTHER
    assert machines.load("cpu other, 2 cores") is None


DAMAGE = {
    "cut short": lambda text: text[: len(text) // 2],
    "no object": lambda text: "[]",
    "of another version": lambda text: text.replace('"version": 2', '"version": 0'),
    "of another device": lambda text: text.replace(KIND, "cpu other, 2 cores"),
    "without a weight": lambda text: text.replace("unit_32", "unit"),
    "negative": lambda text: text.replace(str(OTHER.call), "-1.0"),
    "not a number": lambda text: text.replace(str(OTHER.call), "NaN"),
    "words": lambda text: text.replace(str(OTHER.call), '"many"'),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=list(DAMAGE))
def test_damaged_weights_are_set_aside(damage):
    path = machines.store(OTHER, KIND, {})
    text = path.read_text()
    assert damage(text) != text
    path.write_text(damage(text))
    with pytest.warns(ElimaxWarning, match=r"moved to .*\.broken and defaults are used: run 'elimax calibrate'"):
        assert machines.load(KIND) is None
    assert not path.exists()
    assert machines.load(KIND) is None  # and without a second warning


def test_current_weights_are_read_once(monkeypatch):
    kind = machines.device_kind()
    assert machines.current() == DEFAULT
    machines.store(OTHER, kind, {})
    assert machines.current() == OTHER
    machines.path_of(kind).unlink()
    assert machines.current() == OTHER
    machines.forget()
    assert machines.current() == DEFAULT
    machines.store(OTHER, kind, {})
    machines.forget()
    monkeypatch.setenv("ELIMAX_CACHE", "off")
    assert machines.current() == DEFAULT
    assert machines.store(OTHER, kind, {}) is None


def test_choice_follows_the_weights(programs):
    place = Place(((100_000, (True,)),), False, "cpu", False)
    kind = machines.device_kind()
    machines.store(dataclasses.replace(DEFAULT, operation=1e9, unit_64=1e3), kind, {})
    assert choose(programs[0], "auto", "exact", place) is None
    machines.store(dataclasses.replace(DEFAULT, operation=1e-9, kernel=1e-9, column_32=1e-9, column_64=1e-9,
                                       copied=1e-9, filled=1e9, unit_32=1e3, unit_64=1e3), kind, {})  # fmt: skip
    costly = max(programs, key=lambda p: len(p.steps))
    form = choose(costly, "auto", "exact", place)
    assert form is not None
    assert form.__qualname__.startswith("loop.")


def test_command_stores_weights_and_says_how_good_they_are(fresh):
    words = ["calibrate", "--seconds", "0", "--json"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = CliRunner().invoke(app, words, prog_name="elimax", catch_exceptions=False)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["programs"] == 1
    assert set(found["weights"]) == {field.name for field in dataclasses.fields(Machine)}
    better = found["fitted"]["regret"] <= found["defaults"]["regret"]  # of one program: no chance to speak of
    assert (found["file"] or "").startswith(str(fresh)) is better
    if better:
        assert dataclasses.asdict(machines.load(found["kind"])) == found["weights"]
    table = CliRunner().invoke(app, ["calibrate", "--seconds", "0", "--dry-run"], catch_exceptions=False)
    assert table.exit_code == 0
    assert "nothing is stored" in table.stdout
    assert jax.config.read("jax_enable_x64")


def test_interrupted_command_leaves_weights_alone(monkeypatch):
    kind = machines.device_kind()
    machines.store(OTHER, kind, {})

    def interrupted(*_):
        yield from ()
        raise KeyboardInterrupt

    monkeypatch.setattr("elimax.emit.calibrate.measurements", interrupted)
    assert CliRunner().invoke(app, ["calibrate"]).exit_code != 0
    assert machines.load(kind) == OTHER
