"""Jacobians with the call of ``jax.jacfwd``."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from elimax import execute
from elimax.api.argnums import make_call, normalise_argnums
from elimax.api.assemble import jacobian_tree, value_and_aux
from elimax.api.endpoints import Rule
from elimax.api.fallback import Fallback
from elimax.api.flat import FlatFunction, Options
from elimax.api.metadata import check_callable, check_choice, coarsened_of, function_name, wraps
from elimax.errors import ElimaxError, StructureError
from elimax.plan.sizes import parse_bytes

"""Valid values of ``output``."""


@dataclasses.dataclass(frozen=True)
class Method:
    """How a Jacobian is computed and laid out.

    Attributes:
      order: name of an order, a sequence of vertices, or a Plan.
      cost: name of the cost that ``order="auto"`` and the other searches minimise.
      output: ``"dense"`` or ``"bcoo"``.
      form: ``"auto"``, ``"plain"``, ``"loop"``, ``"kernel"`` or ``"points"``, see ``jacobian``.
      layout: ``"batch-first"`` or ``"batch-last"``, see ``jacobian``.
      elementary: ``"exact"`` or ``"vector"``, see ``jacobian``.
      max_memory: bytes that are not to be exceeded, or None.
      max_trips: turns after which loops are ended, or None.
      input_dtypes: blocks get the dtype of the input, as in jacrev, instead of that of the output.
    """

    order: Any = "auto"
    cost: str = "time"
    output: str = "dense"
    form: str = "auto"
    layout: str = "batch-first"
    elementary: str = "exact"
    max_memory: float | None = None
    max_trips: int | None = None
    input_dtypes: bool = False


def jacobian(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    *,
    order: Any = "auto",
    output: str = "dense",
    cost: str = "time",
    form: str = "auto",
    layout: str = "batch-first",
    elementary: str = "exact",
    max_memory: float | str | None = None,
    max_trips: int | None = None,
) -> Callable[..., Any]:
    """Jacobian of ``fun`` by vertex elimination; takes the place of ``jax.jacfwd`` and ``jax.jacrev``.

    The result has the tree of the output of ``fun`` outside and the tree of the differentiated arguments inside. Its
    leaves are blocks of shape ``[*output.shape, *input.shape]``. Every function that jacfwd or jacrev differentiates is
    accepted. Where those two differ:

    * blocks have the dtype of the output, as in jacfwd (jacrev: that of the input);
    * complex outputs of real inputs are differentiated, as in jacfwd;
    * complex inputs of real outputs are differentiated, as in jacrev, to d/da - i d/db at a + ib; such a block has the
      precision of the output;
    * integer outputs have blocks of zeros in their own dtype, as in jacfwd.

    ``fun`` is traced once per call and never evaluated. When it needs the values of its arguments (``if x > 0:``
    outside jit), an ElimaxWarning says so once, and jacfwd or jacrev takes over.

    Args:
      fun: function of arrays, scalars, or standard Python containers of them, returning the same.
      argnums: which positional argument(s) to differentiate with respect to.
      has_aux: whether ``fun`` returns a pair, the second part of which is auxiliary data, handed through.
      holomorphic: whether ``fun`` is promised to be holomorphic; inputs and outputs are then complex.
      allow_int: whether integer inputs are allowed. Their blocks are zeros in the dtype of the input.
      order: ``"auto"``, the name of an order, a sequence of vertices to eliminate, or a ``Plan``; ``"coarse"`` is
        ``"auto"`` on a graph in which segments that are differentiated symbolically are single vertices, where the
        predicted time speaks for them; ``"auto"`` itself takes them where that promises a gain of a tenth.
      output: ``"dense"``, or ``"bcoo"`` for blocks that are ``jax.experimental.sparse.BCOO``.
      cost: what the search for an order minimises: ``"time"``, ``"multiplications"`` or ``"published"``.
      form: how operations are emitted: ``"plain"``, one after another into the caller's trace; ``"loop"``, all of them
        as the body of one loop over the batch that ``jax.vmap`` adds, on programs small enough to be taken apart into
        scalars; ``"kernel"``, all of them as one kernel, which suits few points in the body of a loop, on such programs
        with up to 128 results (others take the loop); ``"points"``, a loop over the points within one kernel, which
        suits calls of up to some hundred points, on such programs with up to 400 computed results and 4 MB of them
        (others take the loop); or ``"auto"``, which leaves the choice to a time model once it is
        known where the result runs.
        ``jax.experimental.checkify`` looks into the plain form alone.
      layout: where the axes that ``jax.vmap`` adds are when results are written: ``"batch-first"`` suits
        ``out_axes=0``, and ``"batch-last"`` suits ``out_axes=-1``, the faster of the two. Values do not depend on it.
      elementary: ``"exact"`` for the elementary functions of JAX. ``"vector"`` allows the loop form other code for
        sin, cos, tan, asin, acos, atan, atan2, pow, cbrt and, in float64, erf, which XLA computes one element at a
        time on a CPU, and with them the whole loop: vectorised, accurate to three units of the last place, and right
        for zeros, infinities and NaN. Where an argument of sin, cos or tan is finite and larger than 1e6 (float32:
        1e4) somewhere in the batch, all is computed again with the functions of JAX. Subnormal results become zero.
      max_memory: bytes, or a text such as ``"2 GB"``, that the predicted peak of memory is not to exceed, without a
        batch. Where elimination does, another mode is taken that does not, some directions at a time if need be. None
        only refuses a dense Jacobian that is larger than the memory of the machine.
      max_trips: the number of turns after which a loop that ends by a condition is ended. A TripLimitError is raised
        then; under ``jit`` and other transformations, which cannot raise, all inexact results and their derivatives
        are NaN. Loops within functions with rules of their own (``custom_jvp``, ``custom_vjp``) and
        loops that are closed into formulas are not counted.

    Returns:
      A function with the arguments of ``fun`` that returns the Jacobian, or the pair of it and the auxiliary data.

    Raises:
      TypeError: ``fun`` is not callable or ``argnums`` no integers; when called, inputs or outputs of a wrong type.
      ValueError: ``output`` is unknown; when called, ``argnums`` out of range, or an order or plan that does not fit;
        a MemoryLimitError if the Jacobian does not fit into memory, or no way to it.
      TripLimitError: a loop would have gone on after ``max_trips`` turns; a RuntimeError.

    Example:
      >>> import jax.numpy as jnp
      >>> import elimax
      >>> def f(x):
      ...     return jnp.stack([x[0] * x[1], jnp.sin(x[1])])
      >>> print(elimax.jacobian(f)(jnp.array([2.0, 0.0])))
      [[0. 2.]
       [0. 1.]]
    """
    options = Options(has_aux, holomorphic, allow_int)
    turning, trips = limited(fun, max_trips)
    run = _differentiated(
        turning,
        argnums,
        options,
        Method(order, cost, output, form, layout, elementary, limit_of(max_memory), trips),
    )

    @wraps(fun, f"Jacobian of {{fun}} with respect to positional argument(s) {argnums}, with the arguments of {{fun}}.")
    def jacobian_of_fun(*args: Any, **kwargs: Any) -> Any:
        _, blocks, aux = run(args, kwargs)
        return (blocks, aux) if has_aux else blocks

    return jacobian_of_fun


def value_and_jacobian(
    fun: Callable[..., Any],
    argnums: int | Sequence[int] = 0,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    *,
    order: Any = "auto",
    output: str = "dense",
    cost: str = "time",
    form: str = "auto",
    layout: str = "batch-first",
    elementary: str = "exact",
    max_memory: float | str | None = None,
    max_trips: int | None = None,
) -> Callable[..., Any]:
    """Value and Jacobian of ``fun`` from one trace; ``jax.value_and_grad`` for functions of any output.

    Args:
      fun: as for ``jacobian``.
      argnums: as for ``jacobian``.
      has_aux: as for ``jacobian``.
      holomorphic: as for ``jacobian``.
      allow_int: as for ``jacobian``.
      order: as for ``jacobian``.
      output: as for ``jacobian``.
      cost: as for ``jacobian``.
      form: as for ``jacobian``.
      layout: as for ``jacobian``.
      elementary: as for ``jacobian``.
      max_memory: as for ``jacobian``.
      max_trips: as for ``jacobian``.

    Returns:
      A function with the arguments of ``fun`` that returns ``(value, jacobian)``, or ``((value, aux), jacobian)``.

    Raises:
      TypeError: as for ``jacobian``.
      ValueError: as for ``jacobian``.

    Example:
      >>> import elimax
      >>> value, slope = elimax.value_and_jacobian(lambda x: x**3)(2.0)
      >>> print(value, slope)
      8.0 12.0
    """
    options = Options(has_aux, holomorphic, allow_int, with_value=True)
    turning, trips = limited(fun, max_trips)
    run = _differentiated(
        turning,
        argnums,
        options,
        Method(order, cost, output, form, layout, elementary, limit_of(max_memory), trips),
    )
    doc = f"Value and Jacobian of {{fun}} with respect to positional argument(s) {argnums}."

    @wraps(fun, doc + " Takes the arguments of {fun}.")
    def value_and_jacobian_of_fun(*args: Any, **kwargs: Any) -> Any:
        value, blocks, aux = run(args, kwargs)
        return ((value, aux), blocks) if has_aux else (value, blocks)

    return value_and_jacobian_of_fun


def limit_of(max_memory: float | str | None) -> float | None:
    """The number of bytes that ``max_memory`` stands for."""
    return None if max_memory is None else parse_bytes(max_memory)


def trips_of(max_trips: int | None) -> int | None:
    """A number of turns, checked."""
    if max_trips is None or (isinstance(max_trips, int) and not isinstance(max_trips, bool) and max_trips > 0):
        return max_trips
    raise ValueError(f"max_trips must be a number of turns, at least 1, or None, got {max_trips!r}.")


def limited(fun: Any, max_trips: int | None) -> tuple[Any, int | None]:
    """The function to differentiate and the number of turns its loops are given.

    A coarsened function with a limit of its own hides its loops behind a rule; so its function is taken, and its limit
    unless another one is given.
    """
    coarsened, trips = coarsened_of(fun), trips_of(max_trips)
    if coarsened is None or coarsened.max_trips is None:
        return fun, trips
    return coarsened.fun, coarsened.max_trips if trips is None else trips


def _differentiated(
    fun: Any,
    argnums: Any,
    options: Options,
    method: Method,
    *,
    on_trace: Callable[[Any], None] | None = None,
    on_ended: Callable[[Any], None] | None = None,
    symmetry: execute.Symmetry | None = None,
) -> Callable[..., tuple[Any, Any, Any]]:
    """The function ``(args, kwargs) -> (value, tree of blocks, aux)``, after the checks that need no arguments.

    Args:
      fun: as for ``jacobian``.
      argnums: as for ``jacobian``.
      options: what is asked of it.
      method: how it is computed.
      on_trace: called with the traced function.
      on_ended: called with whether loops were ended, in place of an error.
      symmetry: of the blocks, where ``fun`` is the Jacobian of a function that tells about itself.
    """
    check_callable(fun)
    numbers = normalise_argnums(argnums)
    check_choice("output", method.output, execute.OUTPUTS)
    check_choice("layout", method.layout, execute.LAYOUTS)
    check_choice("elementary", method.elementary, execute.ELEMENTARY)
    check_choice("form", method.form, execute.FORMS)
    name = function_name(fun)
    fallback = Fallback(fun, name, numbers, options, method.output, method.input_dtypes)

    def run(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any, Any]:
        call = make_call(name, numbers, args, kwargs)
        flat = FlatFunction(fun, name, call, options)
        if symmetry is not None:
            symmetry.forget()

        def see(closed: Any) -> None:
            if symmetry is not None:
                symmetry.groups = flat.pairs()
            if on_trace is not None:
                on_trace(closed)

        arrays = flat.arrays
        if not arrays:  # integers alone: there is nothing to eliminate
            outputs, aux = flat()
            blocks: Sequence[Sequence[Any]] = [()] * len(outputs)
        else:
            try:
                result = execute.evaluate(
                    flat,
                    arrays,
                    order=method.order,
                    cost=method.cost,
                    output=method.output,
                    values=options.with_value,
                    form=method.form,
                    layout=method.layout,
                    elementary=method.elementary,
                    max_memory=method.max_memory,
                    max_trips=method.max_trips,
                    name=name,
                    on_trace=see,
                    on_ended=on_ended,
                    symmetry=symmetry,
                )
            except Exception as error:  # the function needs values, or it is wrong, or elimax is
                if isinstance(error, ElimaxError) and not isinstance(error, StructureError):
                    raise
                return fallback(call, flat.inputs, error)
            outputs, aux, blocks = result.outputs, result.aux, result.blocks
        value, auxiliary = value_and_aux(flat, outputs, aux)
        tree = jacobian_tree(flat, blocks, layout=method.output, input_dtypes=method.input_dtypes)
        return value, tree, auxiliary

    return run


def reverse_jacobian(
    fun: Any, argnums: Any, options: Options, symmetry: execute.Symmetry, max_trips: int | None = None
) -> Callable[..., Any]:
    """The inner Jacobian of a Hessian: dtype rules and block dtypes of jacrev, order found by search."""
    run = _differentiated(
        fun,
        argnums,
        dataclasses.replace(options, rule=Rule.REVERSE),
        Method(form="plain", input_dtypes=True, max_trips=max_trips),
        on_trace=symmetry.see,
        on_ended=symmetry.tell,
    )

    @wraps(fun, "Inner Jacobian of {fun}.")
    def inner(*args: Any, **kwargs: Any) -> Any:
        _, blocks, aux = run(args, kwargs)
        return (blocks, aux) if options.has_aux else blocks

    return inner


def forward_jacobian(
    fun: Any, argnums: Any, options: Options, method: Method, symmetry: execute.Symmetry
) -> Callable[..., tuple[Any, Any, Any]]:
    """The outer Jacobian of a Hessian: dtype rules of jacfwd."""
    return _differentiated(fun, argnums, dataclasses.replace(options, rule=Rule.FORWARD), method, symmetry=symmetry)
