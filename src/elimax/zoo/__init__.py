"""Named problems from the literature, each with an example input.

>>> from elimax import zoo
>>> problem = zoo.get("lighthouse")
>>> len(problem.args), problem.argnums
(4, (0, 1, 2, 3))
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from elimax.errors import ProblemError
from elimax.zoo import (
    arrow,
    black_scholes,
    brusselator,
    burgers,
    combustion,
    encoder,
    gaussian_fit,
    gray_scott,
    griewank,
    heart_dipole,
    kepler,
    kinetics,
    pendulum,
    perceptron,
    propane,
    random_program,
    robot_arm,
    roe_flux_1d,
    roe_flux_3d,
)
from elimax.zoo.problem import Problem

__all__ = ["Problem", "get", "names"]

_BUILDERS: dict[str, Callable[..., Problem]] = {
    "arrow": arrow.build,
    "black_scholes": black_scholes.build_price,
    "black_scholes_jacobian": black_scholes.build_jacobian,
    "brusselator_1d": brusselator.build,
    "burgers_1d": burgers.build,
    "encoder": encoder.build,
    "gaussian_data_fitting": gaussian_fit.build,
    "gray_scott_2d": gray_scott.build,
    "hires": kinetics.build_hires,
    "hole": griewank.build_hole,
    "human_heart_dipole": heart_dipole.build,
    "kepler": kepler.build,
    "lighthouse": griewank.build_lighthouse,
    "perceptron": perceptron.build,
    "propane_combustion": propane.build,
    "random_program": random_program.build,
    "rk4_pendulum": pendulum.build,
    "robertson": kinetics.build_robertson,
    "robot_arm_6dof": robot_arm.build,
    "roe_flux_1d": roe_flux_1d.build,
    "roe_flux_3d": roe_flux_3d.build,
    "steady_state_combustion": combustion.build,
}


def names() -> tuple[str, ...]:
    """The names of all problems, in alphabetical order."""
    return tuple(sorted(_BUILDERS))


def get(name: str, **options: Any) -> Problem:
    """Builds a problem.

    Args:
      name: one of ``names()``.
      **options: sizes and parameters of the problem, and ``dtype`` of its example arguments (JAX's default floating
        dtype when not given). The builders in this package document them.

    Returns:
      The problem with its example arguments.

    Raises:
      ProblemError: the name is unknown, or the problem has no such option.

    >>> get("burgers_1d", points=5, dtype="float32").args[0].shape
    (5,)
    """
    builder = _BUILDERS.get(name)
    if builder is None:
        raise ProblemError(f"The zoo has no problem {name!r}. Choose one of: {', '.join(names())}.")
    known = tuple(inspect.signature(builder).parameters)
    unknown = [option for option in options if option not in known]
    if unknown:
        raise ProblemError(
            f"The problem {name!r} has no option {', '.join(map(repr, unknown))}. Its options are: {', '.join(known)}."
        )
    return builder(**options)
