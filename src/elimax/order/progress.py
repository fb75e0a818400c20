"""What a running search knows, shared between its parts and with whoever watches."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import threading
from collections.abc import Iterator

from elimax.order.result import Order


class Progress:
    """The best order and the best lower bound so far; safe to use from several threads.

    Attributes:
      best: the cheapest order offered, or None.
      lower_bound: no order costs less.
      evaluations: number of orders or sets priced.
      stopped: set when all parts of the search should end.
      interrupted: whether the search was interrupted, so that its result is the best so far and no more.
    """

    def __init__(self) -> None:
        self.best: Order | None = None
        self.lower_bound = 0
        self.evaluations = 0
        self.stopped = threading.Event()
        self.interrupted = False
        self._lock = threading.Lock()

    @property
    def proved(self) -> bool:
        """Whether the best order is known to be optimal."""
        return self.best is not None and self.best.multiplications <= self.lower_bound

    @property
    def ended(self) -> bool:
        """Whether there is nothing left to do."""
        return self.proved or self.stopped.is_set()

    def offer(self, order: Order) -> None:
        """Report an order; it is kept if it is cheaper than the best so far."""
        with self._lock:
            if self.best is None or order.multiplications < self.best.multiplications:
                self.best = order

    def raise_bound(self, bound: int) -> None:
        """Report a lower bound."""
        with self._lock:
            self.lower_bound = max(self.lower_bound, bound)

    def count(self, evaluations: int) -> None:
        """Report work done."""
        with self._lock:
            self.evaluations += evaluations

    @contextlib.contextmanager
    def until_interrupted(self) -> Iterator[None]:
        """A part of the search that an interrupt ends, with the best order so far as the result.

        A library that is being called may lose the exception; the search ends all the same.

        Raises:
          KeyboardInterrupt: there is no order yet.
        """
        try:
            with self._noticing_interrupts():
                yield
        except KeyboardInterrupt:
            if self.best is None:
                raise
            self.interrupted = True

    @contextlib.contextmanager
    def _noticing_interrupts(self) -> Iterator[None]:
        """Has Control-C set `stopped` as well, where it does what it does by default."""
        main = threading.current_thread() is threading.main_thread()
        if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
            yield
            return

        def stop(number: int, frame: object) -> None:
            self.interrupted = True
            self.stopped.set()
            raise KeyboardInterrupt

        signal.signal(signal.SIGINT, stop)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def result(self, method: str | None = None) -> Order:
        """The best order with what is known about it; ``method`` replaces the name of the search that found it."""
        assert self.best is not None
        return dataclasses.replace(
            self.best,
            method=self.best.method if method is None else method,
            lower_bound=self.lower_bound,
            optimal=self.proved,
            evaluations=self.evaluations,
        )
