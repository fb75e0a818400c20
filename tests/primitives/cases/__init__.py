"""Tables of cases, one module for each family of primitives."""

from __future__ import annotations

from tests.primitives.cases import (
    complex_numbers,
    contractions,
    control_flow,
    custom_rules,
    elementwise,
    indexing,
    linear_algebra,
    reductions,
    structural,
)

TABLES = {
    "elementwise": elementwise.CASES,
    "structural": structural.CASES,
    "reductions": reductions.CASES,
    "indexing": indexing.CASES,
    "contractions": contractions.CASES,
    "linear algebra": linear_algebra.CASES,
    "complex numbers": complex_numbers.CASES,
    "control flow": control_flow.CASES,
    "custom rules": custom_rules.CASES,
}
