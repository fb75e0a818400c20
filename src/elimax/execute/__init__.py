"""Runs a plan in JAX: values of the partials, elimination, output layout."""

from elimax.emit import FORMS
from elimax.execute.evaluate import Evaluation, evaluate, linearisation_for, plan_for

__all__ = ["FORMS", "Evaluation", "evaluate", "linearisation_for", "plan_for"]
