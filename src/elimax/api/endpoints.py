"""Which inputs and outputs can be differentiated, and how: the dtype rules of jacfwd and jacrev.

jacfwd takes real inputs and any output; jacrev takes real, complex and, with ``allow_int``, integer
inputs, and real outputs. elimax takes whatever either of them takes: the rule of outputs is jacrev's only when an input
needs it.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from elimax.errors import ArgumentError

_ARRAY_TYPES = (jax.Array, np.ndarray, np.generic, bool, int, float, complex)


class Rule(enum.Enum):
    """Whose dtype rules hold."""

    EITHER = "jacobian"
    FORWARD = "jacfwd"
    REVERSE = "jacrev"


class Kind(enum.Enum):
    """What a leaf of the inputs or outputs is to differentiation."""

    DIRECT = enum.auto()  # real, or complex under holomorphic=True
    SPLIT = enum.auto()  # complex, and replaced by its real and its imaginary part
    INTEGER = enum.auto()  # integer, boolean or extended dtype: no derivative
    CONSTANT = enum.auto()  # an output that was never traced: it depends on no input


@dataclasses.dataclass(frozen=True)
class Leaf:
    """A leaf of the inputs or of the outputs.

    Attributes:
      shape: its shape.
      dtype: its dtype, canonical.
      weak_type: whether it takes the dtype of what it meets, as Python scalars do.
      kind: what it is to differentiation.
    """

    shape: tuple[Any, ...]
    dtype: Any
    weak_type: bool
    kind: Kind


def _is_extended(dtype: Any) -> bool:
    return jnp.issubdtype(dtype, jax.dtypes.extended)


def describe_input(value: Any, path: str, *, holomorphic: bool, allow_int: bool, rule: Rule, abstract: bool) -> Leaf:
    """Checks one leaf of the differentiated arguments.

    Args:
      value: the leaf.
      path: where it is, for messages.
      holomorphic: the caller promises a holomorphic function.
      allow_int: integers may be differentiated; their blocks are zero.
      rule: whose rules hold.
      abstract: ``jax.ShapeDtypeStruct`` is accepted too.

    Returns:
      Its description.

    Raises:
      ArgumentError: it is no array, or its dtype is not allowed (a TypeError, as in JAX).
      ValueError: it is an object with ``__jax_array__``, as in JAX.
    """
    if not isinstance(value, _ARRAY_TYPES + ((jax.ShapeDtypeStruct,) if abstract else ())):
        if hasattr(value, "__jax_array__"):
            raise ValueError(
                f"Argument {path} of type {type(value).__name__} is converted by __jax_array__, which JAX "
                "transformations do not call; pass jax.numpy.asarray(...) of it."
            )
        raise ArgumentError(
            f"Argument {path} of type {type(value).__name__} is not an array or number, so it cannot be "
            "differentiated; leave it out of argnums or turn it into an array."
        )
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "OSUMm":
        raise ArgumentError(f"Argument {path} is a NumPy array of dtype {value.dtype}, which JAX has no type for.")
    aval: Any = jax.typeof(value)
    dtype = aval.dtype if _is_extended(aval.dtype) else jax.dtypes.canonicalize_dtype(aval.dtype)
    kind = _input_kind(dtype, path, holomorphic, allow_int and rule is not Rule.FORWARD, rule)
    return Leaf(tuple(aval.shape), dtype, bool(getattr(aval, "weak_type", False)), kind)


def _input_kind(dtype: Any, path: str, holomorphic: bool, allow_int: bool, rule: Rule) -> Kind:
    if holomorphic:
        if not jnp.issubdtype(dtype, jnp.complexfloating):
            raise ArgumentError(
                f"{rule.value} with holomorphic=True requires complex inputs, but argument {path} is {dtype.name}."
            )
        return Kind.DIRECT
    if jnp.issubdtype(dtype, jnp.floating):
        return Kind.DIRECT
    if jnp.issubdtype(dtype, jnp.complexfloating):
        if rule is Rule.FORWARD:
            raise ArgumentError(
                f"jacfwd requires real inputs, but argument {path} is {dtype.name}. Pass holomorphic=True for a "
                "holomorphic function."
            )
        return Kind.SPLIT
    discrete = _is_extended(dtype) or jnp.issubdtype(dtype, jnp.integer) or jnp.issubdtype(dtype, jnp.bool_)
    if discrete and allow_int:
        return Kind.INTEGER
    advice = " Convert it to a floating dtype" + (", or pass allow_int=True for blocks of zeros." if discrete else ".")
    raise ArgumentError(f"{rule.value} requires real or complex inputs, but argument {path} is {dtype.name}.{advice}")


def describe_output(value: Any, path: str, inputs: tuple[Leaf, ...], *, holomorphic: bool, rule: Rule) -> Leaf:
    """Checks one leaf of the function's result.

    Args:
      value: the leaf.
      path: where it is, for messages.
      inputs: the differentiated leaves.
      holomorphic: the caller promises a holomorphic function.
      rule: whose rules hold.

    Returns:
      Its description.

    Raises:
      ArgumentError: it is no array, or its dtype is not allowed (a TypeError, as in JAX).
    """
    if not isinstance(value, _ARRAY_TYPES):
        raise ArgumentError(
            f"The function returned {type(value).__name__} at {path}, which is not an array or number. Return it as "
            "auxiliary data with has_aux=True, or not at all."
        )
    aval: Any = jax.typeof(value)
    if _is_extended(aval.dtype):
        raise ArgumentError(f"{rule.value} with output element type {aval.dtype.name} at {path}.")
    dtype = jax.dtypes.canonicalize_dtype(aval.dtype)
    is_complex = jnp.issubdtype(dtype, jnp.complexfloating)
    if holomorphic and not is_complex:
        raise ArgumentError(
            f"{rule.value} with holomorphic=True requires complex outputs, but output {path} is {dtype.name}."
        )
    must_be_real = rule is Rule.REVERSE or any(leaf.kind is not Kind.DIRECT for leaf in inputs)
    if not holomorphic and must_be_real and not jnp.issubdtype(dtype, jnp.floating):
        why = "pass holomorphic=True if the function is holomorphic" if is_complex else "return it as auxiliary data"
        raise ArgumentError(
            f"{rule.value} of a function with complex or integer inputs, and reverse mode, require real outputs, but "
            f"output {path} is {dtype.name}; {why}."
        )
    if not jnp.issubdtype(dtype, jnp.inexact):
        kind = Kind.INTEGER
    elif not isinstance(value, Tracer):
        kind = Kind.CONSTANT
    else:
        kind = Kind.SPLIT if is_complex and not holomorphic else Kind.DIRECT
    return Leaf(tuple(aval.shape), dtype, bool(getattr(aval, "weak_type", False)), kind)
