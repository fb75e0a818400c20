"""Sparse Jacobians of PDE residuals against colouring."""
