"""Example arguments written on the command line."""

from __future__ import annotations

import ast
import re
from typing import Any

import click

_DTYPES = {
    "f16": "float16", "bf16": "bfloat16", "f32": "float32", "f64": "float64", "c64": "complex64", "c128": "complex128",
    "i8": "int8", "i16": "int16", "i32": "int32", "i64": "int64",
    "u8": "uint8", "u16": "uint16", "u32": "uint32", "u64": "uint64", "bool": "bool",
}  # fmt: skip
_WIDE = ("f64", "c128", "i64", "u64")
_SHAPE = re.compile(r"\b([a-z]+[0-9]*)\[([0-9,\s]*)\]")
_MARK = "dtype[shape]"


def parse_args(words: str) -> tuple[Any, ...]:
    """Read arguments written as Python values, such as ``"1.0, [2.0, 3.0]"``.

    Args:
      words: the values, with commas between; lists (of lists) of numbers become arrays, tuples and dicts stay.

    Returns:
      The arguments.

    Raises:
      click.BadParameter: if these are no Python values.
    """
    try:
        values = ast.literal_eval(_tuple(words))
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError) as error:
        raise _bad("args", f'Python values such as "1.0, [2.0, 3.0]" were expected, got {words!r}') from error
    return tuple(_with_arrays(value) for value in values)


def parse_shapes(words: str) -> tuple[Any, ...]:
    """Read arguments written as ``dtype[dim,...]``, also inside tuples, lists and dicts: arrays of ones.

    Args:
      words: for example ``"f64[3], (f32[], {'a': i32[2,2]})"``. A 64-bit type switches 64-bit types on.

    Returns:
      The arguments.

    Raises:
      click.BadParameter: if a dtype is unknown or the text is not of that form.
    """
    import jax

    names = [match[1] for match in _SHAPE.finditer(words)]
    unknown = [name for name in names if name not in _DTYPES]
    if unknown:
        raise _bad("shapes", f"a dtype out of {', '.join(_DTYPES)} was expected, got {unknown[0]!r}")
    if any(name in _WIDE for name in names):
        jax.config.update("jax_enable_x64", True)
    # Each shape becomes a dict that Python reads, so the containers around it need no grammar of their own.
    text = _SHAPE.sub(lambda match: str({_MARK: (match[1], match[2])}), words)
    try:
        values = ast.literal_eval(_tuple(text))
        return tuple(_ones(value) for value in values)
    except (SyntaxError, ValueError, TypeError) as error:
        raise _bad("shapes", f'shapes such as "f64[3], f32[]" were expected, got {words!r}') from error


def _tuple(words: str) -> str:
    """Python source of the tuple of what stands between the commas."""
    words = words.strip().removesuffix(",")
    return f"({words},)" if words else "()"


def _ones(value: Any) -> Any:
    """The value with arrays of ones in the place of shapes; ValueError if something else is in it."""
    import jax.numpy as jnp

    if isinstance(value, dict) and set(value) == {_MARK}:
        name, shape = value[_MARK]
        return jnp.ones([int(size) for size in shape.split(",") if size.strip()], _DTYPES[name])
    if isinstance(value, dict):
        return {key: _ones(part) for key, part in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)(_ones(part) for part in value)
    raise ValueError(value)


def _with_arrays(value: Any) -> Any:
    import jax.numpy as jnp
    import numpy as np

    if isinstance(value, dict):
        return {key: _with_arrays(part) for key, part in value.items()}
    if isinstance(value, tuple):
        return tuple(_with_arrays(part) for part in value)
    if isinstance(value, list):
        try:
            array = np.array(value)
        except ValueError as error:
            raise _bad(
                "args", f"lists of equal length were expected, got {value!r}; write a tuple for a tuple"
            ) from error
        if array.dtype.kind not in "biufc":
            raise _bad("args", f"a list of numbers was expected, got {value!r}; write a tuple for a tuple")
        return jnp.asarray(array)
    return value


def _bad(option: str, message: str) -> click.BadParameter:
    return click.BadParameter(message, param_hint=f"'--{option}'")
