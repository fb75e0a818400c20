"""What a running search knows."""

from __future__ import annotations

import contextlib
import os
import signal

import pytest
from tests.problems import random_problem

from elimax.order import search
from elimax.order.progress import Progress


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_an_interrupt_that_a_library_loses_ends_the_search():
    progress = Progress()
    progress.offer(search(random_problem(0), "forward"))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with progress.until_interrupted():
            with contextlib.suppress(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
            assert progress.ended
            assert progress.interrupted
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_interrupt_without_an_order_goes_on():
    progress = Progress()
    with pytest.raises(KeyboardInterrupt), progress.until_interrupted():
        raise KeyboardInterrupt
