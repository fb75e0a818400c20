"""Named errors of elimax: what was expected, what came, what to do."""


class ElimaxError(Exception):
    """Base class of every error that elimax raises on its own account."""


class ArgumentError(ElimaxError, TypeError):
    """An argument or a result has a type or dtype that cannot be differentiated as asked."""


class ArgnumsError(ElimaxError, ValueError):
    """``argnums`` names no argument, or arguments without a single array in them."""


class OrderError(ElimaxError, ValueError):
    """An elimination order misses, repeats or names unknown vertices, or its name is unknown."""


class PlanMismatchError(ElimaxError, ValueError):
    """A plan was made for another function, other shapes or another graph."""


class ExpressionError(ElimaxError, ValueError):
    """An expression has an operation that is not one, or too many of them."""


class GraphSizeError(ElimaxError, ValueError):
    """A graph has more vertices than a method can take."""


class MissingExtraError(ElimaxError, ImportError):
    """Something was asked for that needs packages which are not installed."""


class TrainingError(ElimaxError, ValueError):
    """A setting of a training is none, or its tasks cannot be trained on."""


class CheckpointError(ElimaxError, ValueError):
    """A checkpoint or a file of weights is damaged, or was written by another version or for other settings."""


class GraphFormatError(ElimaxError, ValueError):
    """A graph file is not one, or describes something that is no computational graph."""


class PlanFormatError(ElimaxError, ValueError):
    """A plan file is not one, is truncated, or was written by an incompatible version."""


class MemoryLimitError(ElimaxError, ValueError):
    """A Jacobian does not fit into memory, a limit cannot be met, or is none."""


class ModeError(ElimaxError, ValueError):
    """The name of a mode is unknown, or the mode cannot be had for a function."""


class TripLimitError(ElimaxError, RuntimeError):
    """A loop would have gone on after as many turns as ``max_trips`` allows."""


class PatternError(ElimaxError, ValueError):
    """A Jacobian has not the pattern that was asked for, or values do not belong to a pattern."""


class ProblemError(ElimaxError, ValueError):
    """The zoo has no problem of that name, or the problem has no such option."""


class StructureError(ElimaxError, RuntimeError):
    """Blocks with incompatible axes were combined: a defect of elimax, never of the user's program."""


class VerificationError(ElimaxError, AssertionError):
    """A Jacobian differs from the one that JAX computes."""


class ElimaxWarning(UserWarning):
    """Something worth knowing happened, for example a fallback to one of JAX's own modes."""
