"""Where the tasks of a distributed search run: processes of this machine, a Ray cluster, or the caller's executor."""

from __future__ import annotations

import concurrent.futures
import contextlib
import multiprocessing
import os
from collections.abc import Callable, Iterator
from typing import Any

from elimax.errors import OrderError

NAMES = ("processes", "ray")


class RayExecutor(concurrent.futures.Executor):
    """Ray behind the interface of `concurrent.futures`.

    It uses the cluster that `ray.init` connected to, and connects if nobody has. A task whose worker dies ends with
    Ray's own exception, which is what an executor of processes does too.
    """

    def __init__(self) -> None:
        """Connects to Ray.

        Raises:
          OrderError: if Ray is not installed.
        """
        try:
            import ray
        except ImportError as error:
            raise OrderError(
                "executor='ray' needs Ray, which is not installed; install it with: pip install \"elimax[ray]\""
            ) from error
        self._ray = ray
        if not ray.is_initialized():
            ray.init(include_dashboard=False, log_to_driver=False)

    @property
    def num_workers(self) -> int:
        """Number of tasks that run at once."""
        return max(1, int(self._ray.cluster_resources().get("CPU", 1)))

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> concurrent.futures.Future:
        """Run ``fn(*args, **kwargs)`` on a worker."""
        task = self._ray.remote(fn).options(max_retries=0)
        return task.remote(*args, **kwargs).future()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Nothing to do: the cluster belongs to whoever connected to it."""


def num_workers(executor: concurrent.futures.Executor) -> int:
    """How many tasks an executor runs at once, as far as it tells."""
    known = getattr(executor, "num_workers", None) or getattr(executor, "_max_workers", None)
    return int(known) if known else os.cpu_count() or 1


@contextlib.contextmanager
def opened(executor: str | concurrent.futures.Executor) -> Iterator[Callable[[], concurrent.futures.Executor]]:
    """A function that returns a working executor, a new one if the last was broken by a dying process.

    Args:
      executor: "processes", "ray", or any executor of `concurrent.futures`, which the caller shuts down.

    Raises:
      OrderError: if it is none of these.
    """
    if isinstance(executor, concurrent.futures.Executor):
        yield lambda: executor
        return
    if executor == "ray":
        cluster = RayExecutor()
        yield lambda: cluster
        return
    if executor != "processes":
        raise OrderError(
            f"unknown executor {executor!r}; expected one of {', '.join(map(repr, NAMES))}, or an executor of "
            "concurrent.futures"
        )
    pools: list[concurrent.futures.ProcessPoolExecutor] = []

    def working() -> concurrent.futures.Executor:
        # Workers start afresh: a copy of a process in which JAX runs threads may hang.
        if not pools or pools[-1]._broken:
            context = multiprocessing.get_context("spawn")
            pools.append(concurrent.futures.ProcessPoolExecutor(os.cpu_count() or 1, mp_context=context))
        return pools[-1]

    try:
        yield working
    finally:
        for pool in pools:
            pool.shutdown(wait=False, cancel_futures=True)
