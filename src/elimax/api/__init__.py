"""The public functions, with the argument rules of JAX."""

from elimax.api.first_order import jacobian, value_and_jacobian
from elimax.api.planning import plan
from elimax.api.second_order import hessian
from elimax.api.verification import BlockComparison, VerificationReport, verify

__all__ = [
    "BlockComparison",
    "VerificationReport",
    "hessian",
    "jacobian",
    "plan",
    "value_and_jacobian",
    "verify",
]
