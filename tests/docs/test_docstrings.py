"""Examples in docstrings print what they show, with JAX's default settings."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import elimax

pytestmark = [pytest.mark.x32, pytest.mark.standard_promotion]


EXTRAS = ("egglog",)
"""What a module may import at its top because it is itself imported where it is used."""


def modules() -> list[str]:
    return sorted(
        info.name for info in pkgutil.walk_packages(elimax.__path__, "elimax.") if "__main__" not in info.name
    )


def test_examples_in_docstrings():
    finder = doctest.DocTestFinder(exclude_empty=True)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    report: list[str] = []
    for name in modules():
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name not in EXTRAS:
                raise
            continue
        for test in finder.find(module, name):
            runner.run(test, out=report.append)
    assert runner.tries > 0
    assert not runner.failures, "".join(report)
