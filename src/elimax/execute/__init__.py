"""Runs a plan in JAX: values of the partials, elimination, output layout."""

from elimax.emit import ELEMENTARY, FORMS, LAYOUTS
from elimax.execute.evaluate import Evaluation, evaluate, linearisation_for, plan_for
from elimax.execute.layout import OUTPUTS

__all__ = [
    "ELEMENTARY",
    "FORMS",
    "LAYOUTS",
    "OUTPUTS",
    "Evaluation",
    "evaluate",
    "linearisation_for",
    "plan_for",
]
