"""Kinds of Jacobian blocks and their product and sum algebra."""
