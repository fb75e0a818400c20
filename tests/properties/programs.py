"""Random programs, built by hypothesis: scalars and arrays, shared, broadcast, sliced, reduced, multiplied."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import hypothesis.strategies as st
import jax.numpy as jnp
import numpy as np
from jax import lax

SHAPES = ((), (1,), (2,), (3,), (2, 3), (3, 2), (1, 3), (2, 1), (2, 2))
MAX_SIZE = 12  # of one value


# All bounded with bounded slopes, so that long compositions stay well-conditioned.
def _weights(x):
    return (np.arange(x.size, dtype=x.dtype).reshape(x.shape) + 1) / (x.size + 1)


UNARY = {
    "sin": jnp.sin,
    "cos": jnp.cos,
    "tanh": jnp.tanh,
    "logistic": lax.logistic,
    "square": lambda x: x * x / 4,
    "neg": lambda x: -x,
    "copy": lambda x: x,
    "half": lambda x: x * 0.5,
    "shift": lambda x: x + 1.0,
    "root": lambda x: jnp.sqrt(x * x + 1),
    "inverse": lambda x: 1 / (x * x + 1),
    "relu": lambda x: jnp.where(x > 0.1, x, 0.0),
    "abs": jnp.abs,
    "clip": lambda x: jnp.clip(x, -1.5, 1.5),
    "stopped": lambda x: lax.stop_gradient(x) * x / 2,
    "round": lambda x: jnp.round(x) + x,
    "weights": lambda x: x * _weights(x),
    "mask": lambda x: jnp.where(np.arange(x.size).reshape(x.shape) % 2 == 0, x, 0.0),
    "mask and keep": lambda x: jnp.where(np.arange(x.size).reshape(x.shape) % 3 != 1, x, x * x / 2),
}
BINARY = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y / 2,
    "div": lambda x, y: x / (y * y + 1),
    "max": jnp.maximum,
    "min": jnp.minimum,
    "where": lambda x, y: jnp.where(x > y, x, y * 0.5),
    "hypot": lambda x, y: jnp.sqrt(x * x + y * y + 0.5),
}


@dataclasses.dataclass(frozen=True)
class Step:
    """One operation on values named by number; the inputs come first."""

    name: str
    operands: tuple[int, ...]
    parameter: Any = None


@dataclasses.dataclass(frozen=True)
class Program:
    """A program: input shapes, steps, and which values are outputs, possibly repeated, inputs or constants (-1)."""

    input_shapes: tuple[tuple[int, ...], ...]
    steps: tuple[Step, ...]
    outputs: tuple[int, ...]

    def __call__(self, *inputs):
        values = list(inputs)
        for step in self.steps:
            values.append(_apply(step, [values[i] for i in step.operands]))
        constant = jnp.full((2,), 1.5, inputs[0].dtype)
        return [constant if i < 0 else values[i] for i in self.outputs]

    def arguments(self, seed: int, dtype: Any = np.float64):
        """Arguments away from ties and kinks."""
        rng = np.random.default_rng(seed)
        return tuple(jnp.asarray(rng.uniform(-1.5, 1.5, shape), dtype) for shape in self.input_shapes)


def _apply(step: Step, operands: list[Any]):
    x, parameter = operands[0], step.parameter
    if step.name in UNARY:
        return UNARY[step.name](x)
    if step.name in BINARY:
        return BINARY[step.name](*operands)
    match step.name:
        case "sum":
            return jnp.sum(x, parameter) / 2
        case "mean keepdims":
            return jnp.mean(x, parameter, keepdims=True)
        case "reduce max":
            return jnp.max(x, parameter)
        case "cumsum":
            return jnp.cumsum(x, parameter) / 2
        case "slice":
            return x[slice(*parameter)] if isinstance(parameter, tuple) else x[parameter]
        case "reverse":
            return jnp.flip(x, parameter)
        case "transpose":
            return x.T
        case "reshape":
            return x.reshape(parameter)
        case "broadcast":
            return jnp.broadcast_to(x, parameter)
        case "matmul":
            return jnp.matmul(*operands) / 2
        case "constant matmul":
            matrix = np.arange(3 * x.shape[0], dtype=x.dtype).reshape(3, x.shape[0]) % 4 - 1.5
            return matrix @ x / 4
        case "einsum diagonal":
            return jnp.einsum("ii->i", x)
        case "triu":
            return jnp.triu(x)
        case "prod":
            return jnp.prod(jnp.tanh(x), parameter)
        case "sort":
            return jnp.sort(x, parameter)
        case "dynamic slice":
            return lax.dynamic_slice_in_dim(x, jnp.asarray(parameter), 1)
        case "scan":
            return lax.scan(lambda c, a: (jnp.sin(c) + a, c * a), x[0] * 0.5, x)[1]
        case "cond":
            return lax.cond(jnp.sum(x) > 0, jnp.sin, lambda y: y * y / 3, x)
        case "outer":
            return jnp.outer(*operands)
        case "concatenate":
            return jnp.concatenate(operands, parameter)
        case "gather":
            return x[np.asarray(parameter)]
        case "update":
            return x.at[parameter].add(operands[1])
        case "pad":
            return jnp.pad(x, parameter)
    raise AssertionError(step.name)


def _broadcasts(a, b):
    try:
        shape = np.broadcast_shapes(a, b)
    except ValueError:
        return None
    return shape if math.prod(shape) <= MAX_SIZE else None


def _choices(shapes):
    """Operations that fit values of these shapes: a name, and a strategy of operands, parameter and result shape."""
    arrays = [i for i, s in enumerate(shapes) if s]
    vectors = [i for i, s in enumerate(shapes) if len(s) == 1]
    matrices = [i for i, s in enumerate(shapes) if len(s) == 2]
    pairs = [
        (i, j) for i in range(len(shapes)) for j in range(len(shapes)) if _broadcasts(shapes[i], shapes[j]) is not None
    ]
    products = [
        (i, j)
        for i in arrays
        for j in arrays
        if shapes[i][-1] == shapes[j][-2 if len(shapes[j]) == 2 else -1] and shapes[i][-1] > 0
    ]
    outers = [(i, j) for i in vectors for j in vectors if shapes[i][0] * shapes[j][0] <= MAX_SIZE]
    joins = [
        (i, j, axis)
        for i in arrays
        for j in arrays
        for axis in range(len(shapes[i]))
        if len(shapes[i]) == len(shapes[j])
        and shapes[i][:axis] + shapes[i][axis + 1 :] == shapes[j][:axis] + shapes[j][axis + 1 :]
        and math.prod(shapes[i]) + math.prod(shapes[j]) <= MAX_SIZE
    ]
    kinds = ["unary", "unary", "binary", "binary"]
    kinds += ["axis", "axis", "slice", "reshape", "gather", "product", "loop"] * bool(arrays)
    kinds += ["matmul"] * bool(products) + ["outer"] * bool(outers) + ["concatenate"] * bool(joins)
    kinds += ["broadcast", "update", "pad"] * bool(vectors) + ["matrix"] * bool(matrices)
    return kinds, arrays, vectors, matrices, pairs, products, outers, joins


@st.composite
def _step(draw, shapes):
    """A step that fits values of these shapes, and the shape of its result."""
    kinds, arrays, vectors, matrices, pairs, products, outers, joins = _choices(shapes)
    kind = draw(st.sampled_from(kinds))
    if kind == "unary":
        i = draw(st.integers(0, len(shapes) - 1))
        return Step(draw(st.sampled_from(sorted(UNARY))), (i,)), shapes[i]
    if kind == "binary":
        i, j = draw(st.sampled_from(pairs))
        return Step(draw(st.sampled_from(sorted(BINARY))), (i, j)), _broadcasts(shapes[i], shapes[j])
    if kind == "axis":
        i = draw(st.sampled_from(arrays))
        axis = draw(st.integers(0, len(shapes[i]) - 1))
        name = draw(st.sampled_from(["sum", "mean keepdims", "reduce max", "cumsum", "reverse", "prod", "sort"]))
        if name in ("sum", "reduce max", "prod"):
            return Step(name, (i,), axis), shapes[i][:axis] + shapes[i][axis + 1 :]
        if name == "mean keepdims":
            return Step(name, (i,), axis), (*shapes[i][:axis], 1, *shapes[i][axis + 1 :])
        return Step(name, (i,), axis), shapes[i]
    if kind == "product":
        i = draw(st.sampled_from(arrays))
        return Step("constant matmul", (i,)), (3, *shapes[i][1:])
    if kind == "loop":
        i = draw(st.sampled_from(arrays))
        name = draw(st.sampled_from(["scan", "cond", "dynamic slice"]))
        if name == "dynamic slice":
            return Step(name, (i,), draw(st.integers(0, shapes[i][0] - 1))), (1, *shapes[i][1:])
        return Step(name, (i,)), shapes[i]
    if kind == "slice":
        i = draw(st.sampled_from(arrays))
        size = shapes[i][0]
        start = draw(st.integers(0, size - 1))
        if draw(st.booleans()):
            return Step("slice", (i,), start), shapes[i][1:]
        stop, stride = draw(st.integers(start + 1, size)), draw(st.integers(1, 2))
        return Step("slice", (i,), (start, stop, stride)), (len(range(start, stop, stride)), *shapes[i][1:])
    if kind == "reshape":
        i = draw(st.sampled_from(arrays))
        size = math.prod(shapes[i])
        shape = draw(st.sampled_from([(size,), (size, 1), (1, size), shapes[i][::-1]]))
        return Step("reshape", (i,), shape), shape
    if kind == "gather":
        i = draw(st.sampled_from(arrays))
        index = tuple(draw(st.lists(st.integers(0, shapes[i][0] - 1), min_size=1, max_size=3)))
        shape = (len(index), *shapes[i][1:])
        return Step("gather", (i,), index), shape
    if kind == "matmul":
        i, j = draw(st.sampled_from(products))
        return Step("matmul", (i, j)), np.matmul(np.zeros(shapes[i]), np.zeros(shapes[j])).shape
    if kind == "outer":
        i, j = draw(st.sampled_from(outers))
        return Step("outer", (i, j)), (shapes[i][0], shapes[j][0])
    if kind == "concatenate":
        i, j, axis = draw(st.sampled_from(joins))
        shape = list(shapes[i])
        shape[axis] += shapes[j][axis]
        return Step("concatenate", (i, j), axis), tuple(shape)
    i = draw(st.sampled_from(matrices if kind == "matrix" else vectors))
    if kind == "matrix":
        if shapes[i][0] == shapes[i][1] and draw(st.booleans()):
            return Step("einsum diagonal", (i,)), shapes[i][:1]
        name = draw(st.sampled_from(["transpose", "transpose", "triu"]))
        return Step(name, (i,)), shapes[i][::-1] if name == "transpose" else shapes[i]
    if kind == "broadcast":
        return Step("broadcast", (i,), (2, *shapes[i])), (2, *shapes[i])
    if kind == "pad":
        return Step("pad", (i,), (1, 1)), (shapes[i][0] + 2,)
    scalars = [k for k, s in enumerate(shapes) if s == ()]
    if not scalars:
        return Step("copy", (i,)), shapes[i]
    where = draw(st.integers(0, shapes[i][0] - 1))
    return Step("update", (i, draw(st.sampled_from(scalars))), where), shapes[i]


@st.composite
def programs(draw, max_steps: int = 10, scalar: bool = False):
    """A random program of a few inputs and steps; of scalars alone if ``scalar``."""
    shape = st.just(()) if scalar else st.sampled_from(SHAPES)
    inputs = tuple(draw(st.lists(shape, min_size=1, max_size=3)))
    shapes, steps = list(inputs), []
    for _ in range(draw(st.integers(1, max_steps))):
        step, result = draw(_step(shapes))
        if math.prod(result) > MAX_SIZE:
            continue
        steps.append(step)
        shapes.append(tuple(result))
    last = len(shapes) - 1
    outputs = draw(st.lists(st.integers(-1, last), min_size=0, max_size=3))
    return Program(inputs, tuple(steps), (*outputs, last))
