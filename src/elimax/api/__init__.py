"""The public functions, with the argument rules of JAX."""

from elimax.api.coarsen import coarsen
from elimax.api.first_order import jacobian, value_and_jacobian
from elimax.api.fusion import fuse
from elimax.api.patterns import Bands, BlockSparsity, Sparsity
from elimax.api.planning import plan
from elimax.api.second_order import hessian
from elimax.api.sparsity import sparsity
from elimax.api.verification import BlockComparison, VerificationReport, verify

__all__ = [
    "Bands",
    "BlockComparison",
    "BlockSparsity",
    "Sparsity",
    "VerificationReport",
    "coarsen",
    "fuse",
    "hessian",
    "jacobian",
    "plan",
    "sparsity",
    "value_and_jacobian",
    "verify",
]
