"""The user's function as a function of flat lists of arrays, and what was learnt while it was traced."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer

from elimax.api.argnums import Call
from elimax.api.endpoints import Kind, Leaf, Rule, describe_input, describe_output
from elimax.errors import ArgnumsError, ArgumentError


@dataclasses.dataclass(frozen=True)
class Options:
    """What is asked of one Jacobian.

    Attributes:
      has_aux: the function returns a pair of output and auxiliary data.
      holomorphic: the function is promised to be holomorphic.
      allow_int: integer inputs are allowed; their blocks are zero.
      rule: whose dtype rules hold.
      with_value: the values of integer outputs are wanted as well.
      abstract: inputs may be ``jax.ShapeDtypeStruct``.
    """

    has_aux: bool = False
    holomorphic: bool = False
    allow_int: bool = False
    rule: Rule = Rule.EITHER
    with_value: bool = False
    abstract: bool = False


@dataclasses.dataclass
class Record:
    """What one trace of the user's function showed; leaves that are no tracers are kept here, the others travel.

    Attributes:
      outputs: description of each leaf of the output.
      out_tree: tree of the output.
      fixed_outputs: value of each output leaf that was not traced, by position.
      aux_tree: tree of the auxiliary data.
      fixed_aux: auxiliary leaves that were not traced, by position: strings, numbers, NumPy arrays, ...
    """

    outputs: tuple[Leaf, ...] = ()
    out_tree: Any = None
    fixed_outputs: dict[int, Any] = dataclasses.field(default_factory=dict)
    aux_tree: Any = None
    fixed_aux: dict[int, Any] = dataclasses.field(default_factory=dict)


class FlatFunction:
    """``flat_fun(*arrays) -> (outputs, aux)`` for one call of the user's function.

    ``arrays`` are the leaves of the differentiated arguments that carry a derivative; ``outputs`` are the traced
    inexact leaves of the result; a leaf of ``Kind.SPLIT`` counts as two real ones in both. ``aux`` are the traced
    integer outputs, when their values are wanted, followed by the traced leaves of the auxiliary data.

    Attributes:
      inputs: description of each leaf of the differentiated arguments.
      in_tree: their tree.
      arrays: the arguments to call it with.
      record: filled in by the call.
    """

    def __init__(self, fun: Any, name: str, call: Call, options: Options):
        """Checks the inputs; see ``describe_input`` for the errors."""
        self._fun = fun
        self._call = call
        self._options = options
        self.name = name
        paths, self.in_tree = jax.tree_util.tree_flatten_with_path(call.dynamic)
        if not paths:
            raise ArgnumsError(
                f"The argument(s) of {name} to differentiate hold no array at all; there is nothing to differentiate "
                "with respect to. Change argnums."
            )
        self.inputs = tuple(
            describe_input(
                value,
                _argument_path(name, call, path),
                holomorphic=options.holomorphic,
                allow_int=options.allow_int,
                rule=options.rule,
                abstract=options.abstract,
            )
            for path, value in paths
        )
        self._leaves = [value for _, value in paths]
        self.record = Record()

    @property
    def with_value(self) -> bool:
        """Whether the values of integer outputs are wanted."""
        return self._options.with_value

    @property
    def arrays(self) -> list[Any]:
        """The arguments to call this function with."""
        arrays: list[Any] = []
        for leaf, value in zip(self.inputs, self._leaves, strict=True):
            if leaf.kind is Kind.INTEGER:
                continue
            if isinstance(value, jax.ShapeDtypeStruct):
                dtype = jnp.finfo(leaf.dtype).dtype if leaf.kind is Kind.SPLIT else leaf.dtype
                abstract = jax.ShapeDtypeStruct(leaf.shape, dtype)
                arrays.extend([abstract, abstract] if leaf.kind is Kind.SPLIT else [abstract])
            elif leaf.kind is Kind.SPLIT:
                value = jnp.asarray(value)
                arrays.extend([jnp.real(value), jnp.imag(value)])
            else:
                arrays.append(jnp.asarray(value))
        return arrays

    def __call__(self, *arrays: Any) -> tuple[list[Any], list[Any]]:
        """Calls the user's function once and records what it returned."""
        self.record = Record()
        result = self._fun(*self._call.arguments(self._unflatten(arrays)), **self._call.kwargs)
        aux = None
        if self._options.has_aux:
            if not (isinstance(result, tuple | list) and len(result) == 2):
                raise ArgumentError(
                    f"With has_aux=True, {self.name} has to return a pair (output, auxiliary data), got "
                    f"{type(result).__name__}"
                    + (f" of length {len(result)}." if isinstance(result, tuple | list) else ".")
                )
            result, aux = result
        return self._record_outputs(result), self._traced_integers(result) + self._record_aux(aux)

    def pairs(self) -> tuple[tuple[int, int], ...]:
        """For a function that is a Jacobian by these arguments: each result's place in the tree of the blocks.

        Returns:
          For each differentiated result, the number of a result of the differentiated function, and the number of the
          argument by which it is differentiated; empty where dtypes differ, or results and arguments are no such tree.
        """
        leaves, count = self.record.outputs, len(self.inputs)
        same = {(leaf.kind, leaf.dtype) for leaf in (*leaves, *self.inputs) if leaf.kind is not Kind.CONSTANT}
        if len(same) != 1 or next(iter(same))[0] is not Kind.DIRECT or len(leaves) % count:
            return ()
        return tuple(divmod(k, count) for k, leaf in enumerate(leaves) if leaf.kind is Kind.DIRECT)

    def _unflatten(self, arrays: tuple[Any, ...]) -> Any:
        supply = iter(arrays)
        leaves = []
        for leaf, value in zip(self.inputs, self._leaves, strict=True):
            if leaf.kind is Kind.INTEGER:
                leaves.append(value)
            elif leaf.kind is Kind.SPLIT:
                leaves.append(jax.lax.complex(next(supply), next(supply)))
            else:
                leaves.append(next(supply))
        return jax.tree.unflatten(self.in_tree, leaves)

    def _record_outputs(self, result: Any) -> list[Any]:
        paths, out_tree = jax.tree_util.tree_flatten_with_path(result)
        described = tuple(
            describe_output(
                value,
                jax.tree_util.keystr(path) or "(the result)",
                self.inputs,
                holomorphic=self._options.holomorphic,
                rule=self._options.rule,
            )
            for path, value in paths
        )
        self.record.outputs, self.record.out_tree = described, out_tree
        self.record.fixed_outputs = {i: value for i, (_, value) in enumerate(paths) if not isinstance(value, Tracer)}
        outputs: list[Any] = []
        for leaf, (_, value) in zip(described, paths, strict=True):
            if leaf.kind is Kind.SPLIT:
                outputs.extend([jnp.real(value), jnp.imag(value)])
            elif leaf.kind is Kind.DIRECT:
                outputs.append(value)
        return outputs

    def _traced_integers(self, result: Any) -> list[Any]:
        if not self._options.with_value:
            return []
        leaves = zip(self.record.outputs, jax.tree.leaves(result), strict=True)
        return [v for leaf, v in leaves if leaf.kind is Kind.INTEGER and isinstance(v, Tracer)]

    def _record_aux(self, aux: Any) -> list[Any]:
        leaves, self.record.aux_tree = jax.tree.flatten(aux)
        traced = []
        for i, value in enumerate(leaves):
            if isinstance(value, Tracer):
                traced.append(value)
            else:
                self.record.fixed_aux[i] = value
        return traced


def _argument_path(name: str, call: Call, path: tuple[Any, ...]) -> str:
    """Where a leaf of ``call.dynamic`` is, as ``"2['a'][0] of fun"``."""
    position = call.positions[0] if call.single else call.positions[path[0].idx]
    return f"{position}{jax.tree_util.keystr(path if call.single else path[1:])} of {name}"
