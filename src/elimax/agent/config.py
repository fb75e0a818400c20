"""Settings of a training, in one TOML file."""

from __future__ import annotations

import dataclasses
import os
import tomllib
from typing import Any

from elimax.errors import TrainingError

METHODS = ("ppo", "gumbel", "expert")
"""Policy gradient (proximal policy optimisation), improvement by tree search (Gumbel AlphaZero), or what annealing says
of the moves of the policy's own games."""

RULES = ("published", "executed")
PARTIALS = ("scalars", "blocks")


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of a training; the defaults are those of a single graph on one or two CPU cores.

    Attributes:
      method: "ppo" or "gumbel", which learn from nothing, or "expert".
      rule: cost rule of the game.
      seed: determines everything but times.
      games: games played at once; with several devices divisible by their number.
      iterations: rounds of play and learning.
      minutes: stop earlier after so much time of training in all, 0 for no such limit.
      width: numbers per vertex in the network.
      layers: rounds of messages in the network.
      learning_rate: of Adam, falling to a tenth by a cosine over the iterations.
      epochs: passes over the games of a round.
      batch: positions in a step of gradient descent.
      clip: PPO, how far the probability of a move may change in a round.
      entropy: weight of the policy's entropy at the beginning; falls to a tenth of that.
      smoothing: PPO, lambda of generalised advantage estimation.
      value_weight: weight of the value's error.
      rivals: PPO, games on each graph that are compared with each other, instead of with the value; 0 for the value.
      elite: weight of imitating the best game so far of each task; 0 learns from the games of the round alone.
      simulations: gumbel, nodes of a tree search.
      considered: gumbel, moves that the root of a search looks at.
      replay: gumbel, rounds whose positions are learnt from.
      reanalyse: gumbel, share of old positions in a step whose targets are searched for anew.
      proposals: expert, proposals of annealing for each graph.
      polish: expert, proposals that improve its order in each position.
      tolerance: expert, share of the cost of a game; a move that loses it is wanted less by a factor e.
      checkpoint_seconds: time between checkpoints.
      bounds: whether the network sees the least cost of each vertex by minimum cuts; they take long on large graphs.
      graphs: tasks "random": how many graphs there are at a time.
      refresh: tasks "random": iterations after which the graphs are drawn anew.
      smallest: tasks "random": fewest operations of a graph.
      largest: tasks "random": most operations of a graph.
      partials: tasks "random": "scalars" or "blocks".
      classes: tasks "random" of blocks: most structures of blocks of a graph, 255 at most.
      evenly: tasks "random" of blocks: as many graphs of each family, smaller if larger ones are of no use.
    """

    method: str = "ppo"
    rule: str = "published"
    seed: int = 0
    games: int = 64
    iterations: int = 1000
    minutes: float = 0.0
    width: int = 32
    layers: int = 2
    learning_rate: float = 1e-3
    epochs: int = 2
    batch: int = 512
    clip: float = 0.2
    entropy: float = 0.01
    smoothing: float = 0.95
    value_weight: float = 0.25
    rivals: int = 0
    elite: float = 0.0
    simulations: int = 16
    considered: int = 8
    replay: int = 4
    reanalyse: float = 0.0
    proposals: int = 20_000
    polish: int = 50
    tolerance: float = 0.005
    checkpoint_seconds: float = 60.0
    bounds: bool = True
    graphs: int = 16
    refresh: int = 5
    smallest: int = 20
    largest: int = 60
    partials: str = "scalars"
    classes: int = 127
    evenly: bool = False

    def __post_init__(self) -> None:
        """Check every setting."""
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            wanted: Any = {"str": str, "int": int, "float": (int, float), "bool": bool}[str(field.type)]
            if isinstance(value, bool) != (wanted is bool) or not isinstance(value, wanted):
                raise TrainingError(f"setting {field.name!r} should be of type {field.type}, got {value!r}")
            if not isinstance(value, str) and not value >= 0:
                raise TrainingError(f"setting {field.name!r} should be zero or more, got {value!r}")
        for name, known in (("method", METHODS), ("rule", RULES), ("partials", PARTIALS)):
            if getattr(self, name) not in known:
                raise TrainingError(f"setting {name!r} should be one of {known}, got {getattr(self, name)!r}")
        for name in (
            "games",
            "iterations",
            "width",
            "epochs",
            "batch",
            "simulations",
            "considered",
            "replay",
            "refresh",
        ):
            if getattr(self, name) < 1:
                raise TrainingError(f"setting {name!r} should be one or more, got {getattr(self, name)!r}")
        if not self.tolerance > 0:
            raise TrainingError(f"setting 'tolerance' should be more than zero, got {self.tolerance!r}")
        if not 0 <= self.reanalyse <= 1:
            raise TrainingError(f"setting 'reanalyse' is a share from 0 to 1, got {self.reanalyse!r}")
        if not 7 <= self.classes <= 255:
            raise TrainingError(f"setting 'classes' should be from 7 to 255, got {self.classes!r}")
        if not 5 <= self.smallest <= self.largest:
            raise TrainingError(
                f"'smallest' and 'largest' should be 5 <= smallest <= largest, got {self.smallest}, {self.largest}"
            )


def load(path: str | os.PathLike[str] | None, **overrides: Any) -> Config:
    """Read settings.

    Args:
      path: a TOML file with names of `Config` at its top level, or None for the defaults.
      **overrides: settings that replace those of the file; None leaves one as it is.

    Returns:
      The settings.

    Raises:
      TrainingError: if the file is no TOML, or a name or a value is none.
    """
    data: dict[str, Any] = {}
    if path is not None:
        try:
            with open(path, "rb") as file:
                data = tomllib.load(file)
        except OSError as error:
            raise TrainingError(f"the settings {os.fspath(path)} cannot be read: {error}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise TrainingError(f"{os.fspath(path)} is no TOML file: {error}") from error
    data |= {name: value for name, value in overrides.items() if value is not None}
    known = [field.name for field in dataclasses.fields(Config)]
    unknown = [name for name in data if name not in known]
    if unknown:
        raise TrainingError(f"unknown setting {', '.join(map(repr, unknown))}; expected some of {', '.join(known)}")
    return Config(**data)
