"""Plants the defects into rows that nothing else happens to, so that each row has one fate for a known reason."""

from dataclasses import dataclass

from local.shop.defects import FAR_FUTURE, KINDS, DefectKind, Fate
from local.shop.dice import Dice
from local.shop.tables import Table

Taken = set[tuple[str, int]]  # (entity, record) of rows that something happens to

_COUNTED_FOR = 8000  # orders that `DefectKind.count` is given for


@dataclass(frozen=True)
class Defect:
    """One spoilt row: record counted from 0 in its file, key and value as they stand there."""

    entity: str
    record: int
    key: dict[str, str]
    kind: str
    column: str
    value: str
    fate: Fate
    rules: tuple[str, ...]


def plant_defects(dice: Dice, tables: dict[str, Table], taken: Taken) -> list[Defect]:
    """Spoils rows of all tables; rows already taken stay as they are, those spoilt become taken."""
    orders = len(tables["orders"].rows)
    defects = []
    for kind in KINDS:
        count = max(1, (kind.count * orders + _COUNTED_FOR // 2) // _COUNTED_FOR)
        defects.extend(_plant(dice, kind, count, tables[kind.entity], taken))
    return defects


def _plant(dice: Dice, kind: DefectKind, count: int, table: Table, taken: Taken) -> list[Defect]:
    free = [record for record in range(len(table.rows)) if (kind.entity, record) not in taken]
    chosen = dice.pick_many([record for record in free if kind.fits(table, record)], count)
    if not chosen:
        raise ValueError(f"no row of {kind.entity} is left for {kind.name!r}: make a shop of more orders")
    defects = []
    for record in sorted(chosen):
        taken.add((kind.entity, record))
        # a row that loses or gains a cell keeps its key columns: they come first
        kind.spoil(table, record, kind.column)
        defects.append(
            Defect(
                entity=kind.entity,
                record=record,
                key=table.key(record),
                kind=kind.name,
                column=kind.column,
                value=_value(kind, table, record),
                fate=kind.fate,
                rules=kind.rules,
            )
        )
    return defects


def _value(kind: DefectKind, table: Table, record: int) -> str:
    if kind.column == "occurred_at":
        return FAR_FUTURE
    columns = table.form.columns
    short = len(table.rows[record]) < len(columns)
    return "" if short and kind.column == columns[-1] else table.cell(record, kind.column)
