"""Loops and branches as vertices that carry their own local Jacobians."""
