"""What elimax cannot trace: JAX's own modes, with a warning.

``jax.jacfwd`` outside jit lets Python code branch on the value of an argument, because it evaluates as it traces.
Vertex elimination needs the whole program first, so such functions are handed to JAX. That is said once per function.
The same net catches defects of elimax itself, and then asks for a report.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
import warnings
import weakref
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from elimax.api.argnums import Call
from elimax.api.blocks import bcoo, cast, weaken
from elimax.api.endpoints import Kind, Leaf
from elimax.api.flat import Options
from elimax.errors import ElimaxWarning

NEEDS_VALUES = (
    jax.errors.ConcretizationTypeError,
    jax.errors.NonConcreteBooleanIndexError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
)
"""What JAX raises when a program cannot be traced with shapes alone."""

# JAX raises these for programs that one mode cannot differentiate: custom_vjp forward, while loops in reverse.
_UNSUPPORTED_MODE = (TypeError, ValueError, NotImplementedError)

_warned: weakref.WeakSet[Any] = weakref.WeakSet()


@dataclasses.dataclass(frozen=True)
class Fallback:
    """A function that is differentiated by JAX when elimax cannot trace it.

    Attributes:
      fun: the user's function.
      name: its name.
      argnums: normalised.
      options: what is asked.
      layout: ``"dense"`` or ``"bcoo"``.
      input_dtypes: blocks get the dtype of the input instead of that of the output.
    """

    fun: Callable[..., Any]
    name: str
    argnums: int | tuple[int, ...]
    options: Options
    layout: str
    input_dtypes: bool

    def __call__(self, call: Call, inputs: tuple[Leaf, ...], error: Exception) -> tuple[Any, Any, Any]:
        """Differentiates with jax.jacfwd or jax.jacrev, whichever needs fewer passes.

        Args:
          call: the arguments.
          inputs: description of the differentiated leaves.
          error: why elimax could not trace the function.

        Returns:
          The value, the tree of blocks and the auxiliary data.

        Raises:
          Exception: ``error`` when JAX cannot do it either, as under jit for want of values, or what JAX raises.
        """
        try:
            mode, (jacobian, (value, aux)) = self._differentiate(call, inputs)
        except Exception as problem:
            if isinstance(error, NEEDS_VALUES) and not isinstance(problem, NEEDS_VALUES):
                raise  # with values, the function got further and failed there
            raise error from None  # it is the function, or its call, that is wrong
        self._warn(mode, error)
        return value, self._finish(jacobian, value), aux

    def _primal(self, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        """The user's function in a form that hands its value out as auxiliary data."""
        result = self.fun(*args, **kwargs)
        value, aux = result if self.options.has_aux else (result, None)
        return value, (value, aux)

    def _differentiate(self, call: Call, inputs: tuple[Leaf, ...]) -> tuple[str, Any]:
        options = self.options
        forward = jax.jacfwd(self._primal, self.argnums, has_aux=True, holomorphic=options.holomorphic)
        reverse = jax.jacrev(
            self._primal, self.argnums, has_aux=True, holomorphic=options.holomorphic, allow_int=options.allow_int
        )
        modes = [("jax.jacfwd", forward), ("jax.jacrev", reverse)]
        if any(leaf.kind is not Kind.DIRECT for leaf in inputs):
            modes = modes[1:]
        elif self._is_wide(call, inputs):
            modes.reverse()
        for i, (mode, jacobian) in enumerate(modes):
            try:
                return mode, jacobian(*call.args, **call.kwargs)
            except NEEDS_VALUES:
                raise
            except _UNSUPPORTED_MODE:
                if i == len(modes) - 1:
                    raise
        raise AssertionError("unreachable: the last mode returns or raises")

    def _is_wide(self, call: Call, inputs: tuple[Leaf, ...]) -> bool:
        value, _ = self._primal(*call.args, **call.kwargs)
        num_outputs = sum(math.prod(jnp.shape(leaf)) for leaf in jax.tree.leaves(value))
        return num_outputs < sum(math.prod(leaf.shape) for leaf in inputs)

    def _finish(self, jacobian: Any, value: Any) -> Any:
        """Gives the blocks the dtype and the layout that elimax promises."""
        out_leaves, out_tree = jax.tree.flatten(value)
        rows = []
        for output, row in zip(out_leaves, out_tree.flatten_up_to(jacobian), strict=True):
            aval = jax.typeof(output)
            rows.append(jax.tree.map(lambda block, aval=aval: self._finish_block(block, aval), row))
        return jax.tree.unflatten(out_tree, rows)

    def _finish_block(self, block: Any, aval: Any) -> Any:
        if jnp.issubdtype(block.dtype, jnp.floating) and not self.input_dtypes:
            block = weaken(cast(block, jax.dtypes.canonicalize_dtype(aval.dtype)), getattr(aval, "weak_type", False))
        if self.layout != "bcoo":
            return block
        if isinstance(block, Tracer):  # the number of entries would depend on values
            indices = np.stack(np.unravel_index(np.arange(block.size), block.shape), axis=1).astype(np.int32)
            return bcoo(block.ravel(), jnp.asarray(indices), block.shape, ordered=True)
        from jax.experimental.sparse import BCOO  # slow to import, and dense callers never need it

        return BCOO.fromdense(block)

    def _warn(self, mode: str, error: Exception) -> None:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else ""
        reason = f"{type(error).__name__}: {reason}".rstrip(": ")
        if not isinstance(error, NEEDS_VALUES):
            warnings.warn(
                f"elimax failed to differentiate {self.name}, which {mode} does not ({reason}). Its result was used. "
                "This is a defect of elimax; please report it.",
                ElimaxWarning,
                stacklevel=5,
            )
            return
        function = inspect.unwrap(self.fun)  # the two Jacobians of a Hessian speak of one function
        function = getattr(function, "__func__", function)  # bound methods live as long as one access
        try:
            if function in _warned:
                return
            _warned.add(function)
        except TypeError:  # not hashable or not weakly referable: the warning filters of Python limit the repetition
            pass
        warnings.warn(
            f"{self.name} needs the values of its arguments while it is traced ({reason}), so "
            f"its Jacobian is computed by {mode} without elimination. Write value-dependent choices with "
            "jax.numpy.where, jax.lax.cond or jax.lax.while_loop to have them planned.",
            ElimaxWarning,
            stacklevel=5,
        )
