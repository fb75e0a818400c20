"""Runs a plan in JAX: values of the partials, elimination, output layout."""

from elimax.emit import ELEMENTARY, FORMS, LAYOUTS
from elimax.execute.evaluate import Evaluation, evaluate
from elimax.execute.fusing import fused
from elimax.execute.layout import OUTPUTS
from elimax.execute.pattern import BlockPattern, pattern_for
from elimax.execute.planning import linearisation_for, plan_for
from elimax.execute.symmetric import Symmetry

__all__ = [
    "ELEMENTARY",
    "FORMS",
    "LAYOUTS",
    "OUTPUTS",
    "BlockPattern",
    "Evaluation",
    "Symmetry",
    "evaluate",
    "fused",
    "linearisation_for",
    "pattern_for",
    "plan_for",
]
