"""Whole segments of a program as symbolic expressions: differentiated at once, simplified, shared.

nodes, operations, arena    expressions: equal ones exist once, each in the simplest form that the rules allow
rules, facts                what may be rewritten, and where it holds
read, emit                  from a flat program, and to public JAX operations
derivatives, derive         partials of one operation by JAX's own rules, of many by symbolic elimination
finish, costs               last touches when uses are known, and what it all costs
"""

from elimax.coarsen.arena import NONE, STRICT, Arena, Rules
from elimax.coarsen.costs import Cost, cost
from elimax.coarsen.derive import Derived, derive
from elimax.coarsen.emit import emit
from elimax.coarsen.nodes import Node

__all__ = ["NONE", "STRICT", "Arena", "Cost", "Derived", "Node", "Rules", "cost", "derive", "emit"]
