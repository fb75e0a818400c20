"""elimax: exact Jacobians of JAX functions with the least work, by vertex elimination."""

from __future__ import annotations

from elimax.api import (
    Sparsity,
    VerificationReport,
    coarsen,
    fuse,
    hessian,
    jacobian,
    plan,
    sparsity,
    value_and_jacobian,
    verify,
)
from elimax.errors import (
    ArgnumsError,
    ArgumentError,
    ElimaxError,
    ElimaxWarning,
    GraphFormatError,
    MemoryLimitError,
    ModeError,
    OrderError,
    PatternError,
    PlanFormatError,
    PlanMismatchError,
    StructureError,
    TripLimitError,
    VerificationError,
)
from elimax.plan import Plan
from elimax.version import __version__

__all__ = [
    "ArgnumsError",
    "ArgumentError",
    "ElimaxError",
    "ElimaxWarning",
    "GraphFormatError",
    "MemoryLimitError",
    "ModeError",
    "OrderError",
    "PatternError",
    "Plan",
    "PlanFormatError",
    "PlanMismatchError",
    "Sparsity",
    "StructureError",
    "TripLimitError",
    "VerificationError",
    "VerificationReport",
    "__version__",
    "coarsen",
    "fuse",
    "hessian",
    "jacobian",
    "plan",
    "sparsity",
    "value_and_jacobian",
    "verify",
]
