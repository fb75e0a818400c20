"""Derivatives of loops: times and temporaries beside the best formulations in JAX."""
