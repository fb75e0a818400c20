"""The only door to JAX internals: tracing to a flat program, evaluating it, calling derivative rules.

Everything that depends on the layout of a jaxpr lives here; `tests/jax_contracts` states what is relied upon.
"""

from elimax._jax.program import Equation, Program, Ref, Value, inline, trace

__all__ = ["Equation", "Program", "Ref", "Value", "inline", "trace"]
