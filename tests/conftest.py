"""Settings of every test: 64-bit types, strict dtype promotion, several CPU devices, a cache of its own."""

from __future__ import annotations

import os
import tempfile

# These are read when JAX and elimax are first imported, so they come before both.
os.environ["JAX_PLATFORMS"] = os.environ.get("ELIMAX_TEST_PLATFORMS", "cpu")
os.environ["JAX_ENABLE_X64"] = "1"
os.environ["JAX_NUMPY_DTYPE_PROMOTION"] = "strict"
# Most of a test's time is compilation of code that runs once: LLVM need not optimise it (it halves the time).
_FLAGS = (
    "--xla_force_host_platform_device_count=4",
    "--xla_backend_optimization_level=0",
    "--xla_llvm_disable_expensive_passes=true",
)
_GIVEN = os.environ.get("XLA_FLAGS", "")
os.environ["XLA_FLAGS"] = " ".join([_GIVEN, *(flag for flag in _FLAGS if flag.split("=")[0] not in _GIVEN)]).strip()
_CACHE = tempfile.TemporaryDirectory(prefix="elimax-test-", ignore_cleanup_errors=True)
os.environ["ELIMAX_CACHE_DIR"] = _CACHE.name
os.environ.setdefault("MPLBACKEND", "agg")

import contextlib
import itertools

import hypothesis
import jax
import pytest

_COMMON = {"deadline": None, "suppress_health_check": list(hypothesis.HealthCheck)}
hypothesis.settings.register_profile("ci", derandomize=True, max_examples=25, database=None, **_COMMON)
hypothesis.settings.register_profile("full", max_examples=500, print_blob=True, **_COMMON)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(autouse=True)
def _jax_modes(request: pytest.FixtureRequest):
    """Applies the marks ``x32`` and ``standard_promotion``."""
    with contextlib.ExitStack() as stack:
        if request.node.get_closest_marker("x32"):
            stack.enter_context(jax.enable_x64(False))
        if request.node.get_closest_marker("standard_promotion"):
            stack.enter_context(jax.numpy_dtype_promotion("standard"))
        yield


_CLEARED_AFTER = 150
"""Tests. In a process that holds the programs of hundreds of them, JAX takes longer to lower the next one."""

_finished = itertools.count(1)


def pytest_runtest_teardown():
    """Lets go of compiled programs from time to time."""
    if next(_finished) % _CLEARED_AFTER == 0:
        jax.clear_caches()


@pytest.fixture(params=["x64", "x32"])
def precision(request: pytest.FixtureRequest):
    """Runs a test once with 64-bit types and once without; its value is ``"x64"`` or ``"x32"``."""
    with jax.enable_x64(request.param == "x64"):
        yield request.param


@pytest.fixture
def cache_dir(tmp_path, monkeypatch):
    """A plan cache that is empty and belongs to one test alone."""
    monkeypatch.setenv("ELIMAX_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"
