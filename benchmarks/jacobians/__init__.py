"""Time of Jacobians by elimax, by JAX's modes, by symbolic derivatives and by C."""
