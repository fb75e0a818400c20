"""Loops with a closed form: what their bodies do to each carry, and programs without a loop in their place.

`carries` describes a loop and how its carries depend on each other, `forms` reads what a body does to a carry, `solve`
closes carry after carry with the help of `geometric`, `composed`, `matrices` and `recurrences`, `trips` finds how often
a while loop turns, `joints` and `records` compress what a body reads of many records, and `rewrite` goes through a
whole program.
"""
