"""Gradients of programs with and without `elimax.coarsen`."""
