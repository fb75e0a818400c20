"""Structures of edges as plain lists and dicts, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from elimax.errors import GraphFormatError
from elimax.structure.term import Affine, AxisMap, IndexTable, Kind, Operator, Structure, Table, Term

_KINDS = {kind.name.lower(): kind for kind in Kind}


def field(data: Mapping[str, Any], key: str) -> Any:
    """The value of a key that has to be there."""
    if key not in data:
        raise GraphFormatError(f"expected the key {key!r}, found {', '.join(map(repr, data)) or 'an empty object'}")
    return data[key]


def integers(value: Any, what: str) -> tuple[int, ...]:
    """A list of integers as a tuple."""
    if not isinstance(value, list | tuple) or any(isinstance(v, bool) or not isinstance(v, int) for v in value):
        raise GraphFormatError(f"{what} should be a list of integers, got {_short(value)}")
    return tuple(value)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


class Encoder:
    """Writes structures; the index tables they refer to are collected in ``tables`` in order of appearance."""

    def __init__(self) -> None:
        self.tables: list[IndexTable] = []
        self._positions: dict[IndexTable, int] = {}

    def structure(self, structure: Structure) -> dict[str, Any]:
        """A structure as a dict."""
        if isinstance(structure, Operator):
            return {
                "operator": structure.key,
                "out_size": structure.out_size,
                "in_size": structure.in_size,
                "forward": structure.forward,
                "reverse": structure.reverse,
                "weight": structure.weight,
            }
        return {"terms": [self._term(term) for term in structure]}

    def _term(self, term: Term) -> dict[str, Any]:
        return {
            "sizes": list(term.sizes),
            "out": [self._axis(axis) for axis in term.out_axes],
            "in": [self._axis(axis) for axis in term.in_axes],
            "values": list(term.value_labels),
            "kind": term.kind.name.lower(),
        }

    def _axis(self, axis: AxisMap) -> dict[str, Any]:
        if isinstance(axis, Affine):
            return {"offset": axis.offset, "parts": [list(part) for part in axis.parts]}
        if axis.table not in self._positions:
            self._positions[axis.table] = len(self.tables)
            self.tables.append(axis.table)
        return {"label": axis.label, "table": self._positions[axis.table]}


class Decoder:
    """Reads what `Encoder` wrote.

    Args:
      tables: the index tables, each a list of integers.

    Raises:
      GraphFormatError: here and in the methods, if something is not what `Encoder` writes.
    """

    def __init__(self, tables: Any):
        if not isinstance(tables, list):
            raise GraphFormatError("'tables' should be a list of lists of integers")
        try:
            self._tables = [
                IndexTable(np.asarray(integers(table, f"table {position}"), dtype=np.int64))
                for position, table in enumerate(tables)
            ]
        except OverflowError as error:
            raise GraphFormatError(f"an index table holds an integer beyond 64 bits: {error}") from error

    def structure(self, data: Any) -> Structure:
        """The structure that a dict describes."""
        if not isinstance(data, Mapping) or not ("terms" in data or "operator" in data):
            raise GraphFormatError(f"a structure should have 'terms' or be an 'operator', got {_short(data)}")
        if "operator" in data:
            return self._operator(data)
        terms = data["terms"]
        if not isinstance(terms, list):
            raise GraphFormatError(f"'terms' should be a list, got {_short(terms)}")
        return tuple(self._term(term) for term in terms)

    def _operator(self, data: Mapping[str, Any]) -> Operator:
        key, forward, reverse = data["operator"], field(data, "forward"), field(data, "reverse")
        if not isinstance(key, str) or not isinstance(forward, bool) or not isinstance(reverse, bool):
            raise GraphFormatError(f"an operator has a key, 'forward' and 'reverse', got {_short(data)}")
        sizes = [field(data, "out_size"), field(data, "in_size"), field(data, "weight")]
        out_size, in_size, weight = integers(sizes, "sizes and weight of an operator")
        return Operator(out_size, in_size, forward, reverse, weight, key)

    def _term(self, data: Any) -> Term:
        if not isinstance(data, Mapping):
            raise GraphFormatError(f"a term should be an object, got {_short(data)}")
        sizes = integers(field(data, "sizes"), "'sizes' of a term")
        labels = integers(field(data, "values"), "'values' of a term")
        kind = field(data, "kind")
        if not isinstance(kind, str) or kind not in _KINDS:
            raise GraphFormatError(f"the kind of a term should be one of {', '.join(sorted(_KINDS))}, got {kind!r}")
        axes = []
        for side in ("out", "in"):
            listed = field(data, side)
            if not isinstance(listed, list):
                raise GraphFormatError(f"{side!r} of a term should be a list, got {_short(listed)}")
            axes.append(tuple(self._axis(axis, len(sizes)) for axis in listed))
        if any(size < 0 for size in sizes) or any(not 0 <= label < len(sizes) for label in labels):
            raise GraphFormatError(f"a term names a label that has no size: {_short(data)}")
        return Term(sizes, axes[0], axes[1], labels, _KINDS[kind])

    def _axis(self, data: Any, num_labels: int) -> AxisMap:
        if not isinstance(data, Mapping):
            raise GraphFormatError(f"an axis should be an object, got {_short(data)}")
        if "table" in data:
            label, position = integers([field(data, "label"), data["table"]], "label and table of an axis")
            if not 0 <= label < num_labels or not 0 <= position < len(self._tables):
                raise GraphFormatError(f"an axis names a label or a table that is not there: {_short(data)}")
            return Table(label, self._tables[position])
        (offset,) = integers([field(data, "offset")], "the offset of an axis")
        listed = field(data, "parts")
        if not isinstance(listed, list):
            raise GraphFormatError(f"'parts' of an axis should be a list, got {_short(listed)}")
        parts = []
        for part in listed:
            pair = integers(part, "a part of an axis")
            if len(pair) != 2 or not 0 <= pair[0] < num_labels:
                raise GraphFormatError(f"a part of an axis should be [label, stride], got {_short(part)}")
            parts.append((pair[0], pair[1]))
        return Affine(offset, tuple(parts))
