"""Plans: made, explained, saved and fitted."""

from elimax.plan.make import fit, make_plan
from elimax.plan.types import Plan

__all__ = ["Plan", "fit", "make_plan"]
