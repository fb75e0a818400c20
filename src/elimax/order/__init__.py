"""Searches for elimination orders, by name."""

from elimax.order.registry import names, register
from elimax.order.result import Order
from elimax.order.search import search

__all__ = ["Order", "names", "register", "search"]
