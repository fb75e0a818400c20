"""Where a training computes: games are split over devices, the network is on all of them."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from elimax.errors import TrainingError


@dataclasses.dataclass(frozen=True)
class Devices:
    """A line of devices, perhaps of several processes.

    Attributes:
      mesh: the devices, or None for the default device alone.
    """

    mesh: Mesh | None

    @classmethod
    def single(cls) -> Devices:
        """The default device: a GPU where JAX has one."""
        return cls(None)

    @classmethod
    def all(cls) -> Devices:
        """All devices of all processes."""
        devices = np.array(jax.devices())
        return cls.single() if devices.size == 1 else cls(Mesh(devices, ("games",)))

    @property
    def writes(self) -> bool:
        """Whether this process writes files."""
        return jax.process_index() == 0

    def check(self, games: int) -> None:
        """Check that games can be split evenly.

        Raises:
          TrainingError: if not.
        """
        count = 1 if self.mesh is None else self.mesh.size
        if games % count:
            raise TrainingError(f"'games' should be divisible by the {count} devices, got {games}")

    def split(self, tree: Any) -> Any:
        """Arrays, the same in every process, with their leading axis split over the devices."""
        return self._put(tree, PartitionSpec("games"))

    def everywhere(self, tree: Any) -> Any:
        """Arrays, the same in every process, on every device."""
        return self._put(tree, PartitionSpec())

    def _put(self, tree: Any, spec: PartitionSpec) -> Any:
        if self.mesh is None:
            return tree
        sharding = NamedSharding(self.mesh, spec)

        def put(x: Any) -> Any:
            if isinstance(x, jax.Array) and not x.is_fully_addressable:
                return x
            whole = np.asarray(x)
            return jax.make_array_from_callback(whole.shape, sharding, lambda index: whole[index])

        return jax.tree.map(put, tree)

    def gather(self, tree: Any) -> Any:
        """Arrays as numpy arrays, whole in every process."""
        if self.mesh is None:
            return jax.tree.map(np.asarray, tree)
        whole = NamedSharding(self.mesh, PartitionSpec())
        copied = jax.jit(lambda x: x, out_shardings=whole)(tree)
        return jax.tree.map(np.asarray, copied)
