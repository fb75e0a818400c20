"""Runs a plan in JAX: values of the partials, elimination, output layout."""

from elimax.execute.evaluate import Evaluation, evaluate, linearisation_for, plan_for

__all__ = ["Evaluation", "evaluate", "linearisation_for", "plan_for"]
