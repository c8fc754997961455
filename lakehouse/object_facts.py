"""What the load and object rules of a contract say of one Bronze object, found out before its rows are judged.

A first pass reads the few columns that these rules need; a second one only where hashes of keys meet, and looks at
those keys as they are.
"""

from collections.abc import Callable, Collection, Iterable
from decimal import Decimal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.key_hash import Hashes, hash_keys
from lakehouse.row_check import BronzeRows, CheckPlan, ObjectFacts, Step
from lakehouse.rules.bounds import OPERATORS
from lakehouse.rules.kind import Scope, is_false, without_negative_zero
from lakehouse.rules.registry import kind_of
from lakehouse.text_view import Mask

ReadTables = Callable[[Collection[str]], Iterable[pa.Table]]
"""All row groups of the object in order, with those of the named columns that it has. May be called twice."""


def find_facts(plan: CheckPlan, column_names: Collection[str], read: ReadTables) -> ObjectFacts:
    """The facts of an object that has these columns. Wanted where `plan.needs_facts` says so.

    Memory: 16 bytes per row and `unique` rule while hashes are sorted, then a byte per row and broken rule; keys that
    stand more than once are held as they are.
    """
    steps = plan.wide_steps
    measures = {
        n: _Measure(s, column_names) for n, s in steps.items() if kind_of(s.rule).scope is Scope.OBJECT
    }
    orders = {n: _Order(s) for n, s in steps.items() if s.rule.kind in _ORDERS}
    keys = {n: _Keys(s) for n, s in steps.items() if s.rule.kind == "unique"}
    seeing = [
        *(one.see for one in measures.values()),
        *(one.see for one in orders.values()),
        *(one.see for one in keys.values()),
    ]
    for table in read(plan.fact_columns):
        rows = BronzeRows.of(plan, table, plan.fact_columns)
        for see in seeing:
            see(rows)
    doubled = {number: key for number, key in keys.items() if key.find_doubled()}
    if doubled:
        for table in read(plan.fact_columns):
            rows = BronzeRows.of(plan, table, plan.fact_columns)
            for key in doubled.values():
                key.see_again(rows)
    broken = {number: order.broken() for number, order in orders.items()}
    broken |= {number: key.broken() for number, key in doubled.items()}
    observed = {number: measure.observed() for number, measure in measures.items()}
    return ObjectFacts(
        rows={number: mask for number, mask in broken.items() if mask.any()},
        observed={number: text for number, text in observed.items() if text is not None},
    )


class _Measure:
    """An object rule: counts what it is about."""

    def __init__(self, step: Step, column_names: Collection[str]) -> None:
        self._step, self._names = step, column_names
        self._rows = self._missing = 0

    def see(self, rows: BronzeRows) -> None:
        """The next row group."""
        rule = self._step.rule
        if rule.kind == "row_count" and rule.when is None:
            self._rows += rows.count  # also those that could not be decoded: they are rows of the file
            return
        about = rows.about(self._step)
        self._rows += int(about.sum())
        if rule.kind == "null_share":
            self._missing += int((rows.cells[rule.column].missing & about).sum())

    def observed(self) -> str | None:
        """What was found, when it breaks the rule."""
        args = self._step.rule.args
        match self._step.rule.kind:
            case "columns_present":
                lacking = [name for name in args["columns"] if name not in self._names]
                return f"without {', '.join(lacking)}" if lacking else None
            case "row_count":
                within = args.get("min", 0) <= self._rows <= args.get("max", self._rows)
                return None if within else f"{self._rows} rows"
            case _:
                within = self._missing <= Decimal(args["max"]) * self._rows
                return None if within else f"{self._missing} of {self._rows} missing"


_ORDERS = {
    "increasing": ("<=", "<"),
    "decreasing": (">=", ">"),
}


class _Order:
    """Each value against the last one before it that is there."""

    def __init__(self, step: Step) -> None:
        self._step = step
        loosely, strictly = _ORDERS[step.rule.kind]
        self._holds = OPERATORS[strictly if step.rule.args.get("strictly") else loosely]
        self._last: pa.Array | None = None
        self._masks: list[Mask] = []

    def see(self, rows: BronzeRows) -> None:
        """The next row group."""
        cells = rows.cells[self._step.rule.column]
        about = rows.about(self._step) & cells.known
        values = cells.values.filter(pa.array(about))
        mask = np.zeros(rows.count, bool)
        if len(values):
            before = pa.concat_arrays([values[:1] if self._last is None else self._last, values[:-1]])
            broken = is_false(self._holds(before, values))
            broken[0] &= self._last is not None
            mask[about] = broken
            self._last = values[-1:]
        self._masks.append(mask)

    def broken(self) -> Mask:
        """Of all rows seen."""
        return np.concatenate([np.zeros(0, bool), *self._masks])


class _Keys:
    """Keys that stand on more than one row: hashes first, and where two are equal the keys themselves."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._names: list[str] = step.rule.args["columns"]
        self._hashes: list[Hashes] = []
        self._doubled: Hashes = np.zeros(0, np.uint64)
        self._rows = 0
        self._places: list[npt.NDArray[np.int64]] = []
        self._parts: list[pa.Table] = []

    def see(self, rows: BronzeRows) -> None:
        """The next row group."""
        self._hashes.append(self._hash(rows)[1])

    def _hash(self, rows: BronzeRows) -> tuple[npt.NDArray[np.int64], Hashes]:
        """Rows that have a whole key, and its hash."""
        whole = np.logical_and.reduce([rows.about(self._step), *(rows.cells[n].known for n in self._names)])
        return np.flatnonzero(whole), hash_keys([rows.cells[name].values for name in self._names])[whole]

    def find_doubled(self) -> bool:
        """After the first pass: whether any hash stands twice."""
        ordered = np.concatenate([np.zeros(0, np.uint64), *self._hashes])
        self._hashes.clear()
        ordered.sort()
        self._doubled = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
        return len(self._doubled) > 0

    def see_again(self, rows: BronzeRows) -> None:
        """The next row group of the second pass."""
        places, hashes = self._hash(rows)
        at = np.minimum(np.searchsorted(self._doubled, hashes), len(self._doubled) - 1)
        places = places[self._doubled[at] == hashes]
        values = [rows.cells[name].values.take(pa.array(places)) for name in self._names]
        self._places.append(places + self._rows)
        self._parts.append(pa.table(values, names=self._names))
        self._rows += rows.count

    def broken(self) -> Mask:
        """Of all rows seen: those whose key is another's too."""
        keys = pa.concat_tables(self._parts)
        codes = np.zeros(len(keys), np.int64)
        for name in self._names:
            values = without_negative_zero(keys.column(name).combine_chunks())
            own = pc.dictionary_encode(values).indices.to_numpy().astype(np.int64)
            # renumbered after each column: the product stays within the square of the rows
            codes = np.unique(codes * (int(own.max(initial=0)) + 1) + own, return_inverse=True)[1]
        found = np.zeros(self._rows, bool)
        found[np.concatenate(self._places)] = np.bincount(codes)[codes] > 1
        return found
