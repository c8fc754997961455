"""Made-up contracts: always the same columns, and by a seed some twenty rules of every kind, read as a contract's."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from random import Random
from typing import Any

from lakehouse.catalog import Entity, Kind
from lakehouse.compilers.lock import extend_lock
from lakehouse.compilers.plan import compile_entity
from lakehouse.contract import Column, parse_contract
from lakehouse.errors import ContractError
from lakehouse.place import Place
from lakehouse.rules.kind import Scope
from lakehouse.rules.reading import read_rule
from lakehouse.rules.registry import KINDS
from tests.builders.contracts import a_column, a_contract, as_yaml
from tests.differential.values import PLAIN

# logicalType and physicalType in a contract
_TYPES: Mapping[str, tuple[Kind, str, str]] = {
    "key": (Kind.TEXT, "string", ""),
    "word": (Kind.TEXT, "string", ""),
    "other_word": (Kind.TEXT, "string", ""),
    "whole": (Kind.INT64, "integer", ""),
    "other_whole": (Kind.INT64, "integer", ""),
    "third_whole": (Kind.INT64, "integer", ""),
    "price": (Kind.DECIMAL, "number", "decimal(10,2)"),
    "freight": (Kind.DECIMAL, "number", "decimal(10,2)"),
    "huge": (Kind.DECIMAL, "number", "decimal(38,2)"),
    "weight": (Kind.DOUBLE, "number", "double"),
    "height": (Kind.DOUBLE, "number", "double"),
    "begun": (Kind.TIMESTAMP, "timestamp", ""),
    "ended": (Kind.TIMESTAMP, "timestamp", ""),
}
_PATTERNS = [
    *(
        "[0-9a-f]{4}",
        "[a-z]+",
        "[^0-9/@,]*",
        "a.*",
        ".*b",
        "(a|b|x)+",
        "é+",
        "[a-zé]{1,3}",
        ".",
        "..",
        "[0-9]{5}",
    ),
    *(
        "(.|\n)*a(.|\n)*",
        "[0-9]+",
        "-?[0-9]+(\\.[0-9]+)?",
        "SP|RJ|01310",
        "(.|\n){0,3}",
        "[ \t\n]+",
        "a?b?",
        "x|",
    ),
]
_FORMATS = ["%Y-%m-%d", "%d/%m/%Y %H:%M", "%H%M%S.%f", "%m-%d", "%Y%%%m", "é%Y", "%Y-%m-%d %H:%M:%S", "%d"]


def a_contract_of(seed: int, kinds: Sequence[str] = (), delivery: str = "batch") -> Entity:
    """The entity of a contract with rules of these kinds (none named: all that the delivery can have)."""
    random = Random(seed)
    usable = [
        name
        for name, kind in KINDS.items()
        if kind.written and (delivery == "batch" or kind.scope is Scope.ROW) and name in (kinds or KINDS)
    ]
    names = [*usable, *random.choices(usable, k=6)] if len(usable) < 12 else random.sample(usable, 18)
    rules = [_rule(random, f"r{number}_{name}", name) for number, name in enumerate(names)]
    contract = parse_contract(f"seed-{seed}.yaml", as_yaml(_document(delivery, rules)))
    return compile_entity(contract, extend_lock(contract, None), 7)


def an_entity_with(
    implementation: Mapping[str, Any], delivery: str = "batch", severity: str = "warn"
) -> Entity:
    """The same columns with one rule, called `the_rule`; ContractError when it is refused."""
    rule = _entry("the_rule", severity) | {"implementation": dict(implementation)}
    contract = parse_contract("rule.yaml", as_yaml(_document(delivery, [rule])))
    return compile_entity(contract, extend_lock(contract, None), 7)


def _entry(id_: str, severity: str) -> dict[str, Any]:
    return {
        "id": id_,
        "type": "custom",
        "engine": "keystone-nexus",
        "severity": severity,
        "dimension": "accuracy",
        "description": f"{id_} is broken.",
    }


def _document(delivery: str, rules: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    document = a_contract()
    document["customProperties"][1]["value"] = delivery
    document["schema"][0] |= {"properties": [_column(name) for name in _TYPES], "quality": list(rules)}
    return document


def _column(name: str) -> dict[str, Any]:
    _, logical, physical = _TYPES[name]
    key = {"primaryKey": True, "primaryKeyPosition": 1} if name == "key" else {}
    return a_column(name, logical, **({"physicalType": physical} if physical else {}), **key)


def _rule(random: Random, id_: str, kind: str) -> dict[str, Any]:
    warns = KINDS[kind].scope is Scope.LOAD or random.random() < 0.5
    rule = _entry(id_, "warn" if warns else "error")
    while True:
        rule["implementation"] = {"rule": kind, **_MAKERS[kind](random)}
        if random.random() < 0.35 and kind != "columns_present":
            rule["implementation"]["when"] = _condition(random)
        if _readable(rule):
            return rule


def _readable(rule: dict[str, Any]) -> bool:
    """Whether its bounds are in order, its values differ and so on: chance does not care."""
    try:
        read_rule(Place("", "", rule), "keystone-nexus", _columns(), None, "batch")
    except ContractError:
        return False
    return True


@cache
def _columns() -> Mapping[str, Column]:
    contract = parse_contract("columns.yaml", as_yaml(_document("batch", [])))
    return {column.name: column for column in contract.columns}


def _of(random: Random, *kinds: Kind) -> str:
    return random.choice([name for name, (kind, *_) in _TYPES.items() if not kinds or kind in kinds])


def _same(random: Random, name: str) -> str:
    return random.choice([one for one in _TYPES if _TYPES[one][0] is _TYPES[name][0] and one != name])


def _value(random: Random, name: str) -> str | int:
    text = random.choice(PLAIN[_TYPES[name][0]])
    return int(text) if _TYPES[name][0] is Kind.INT64 else text


def _values(random: Random, name: str, most: int = 4) -> list[str | int]:
    return list(dict.fromkeys(_value(random, name) for _ in range(random.randrange(1, most))))


def _condition(random: Random) -> dict[str, Any]:
    match random.choice(("in", "present", "between", "pattern")):
        case "in":
            name = _of(random, Kind.TEXT, Kind.INT64)
            return {"column": name, "in": [str(value) for value in _values(random, name)]}
        case "present":
            return {"column": _of(random), "present": random.random() < 0.5}
        case "between":
            name = _ordered(random)
            return {"column": name, "between": _bounds(random, name)}
        case _:
            return {"column": _of(random, Kind.TEXT), "pattern": random.choice(_PATTERNS)}


def _ordered(random: Random) -> str:
    return _of(random, Kind.INT64, Kind.DECIMAL, Kind.DOUBLE, Kind.TIMESTAMP)


def _bounds(random: Random, name: str) -> dict[str, Any]:
    said = random.choice((("min",), ("max",), ("min", "max")))
    found: dict[str, Any] = {side: str(_value(random, name)) for side in said}
    return found | {f"strict_{side}": True for side in said if random.random() < 0.4}


def _counts(random: Random, most: int) -> dict[str, Any]:
    low = random.randrange(most)
    both = {"min": low, "max": low + random.randrange(most)}
    return {side: both[side] for side in random.choice((("min",), ("max",), ("min", "max")))}


def _columned(random: Random, *kinds: Kind, **args: Any) -> dict[str, Any]:
    return {"column": _of(random, *kinds), **args}


def _some(random: Random, pool: Sequence[str]) -> list[str]:
    return random.sample(pool, random.randrange(1, 4))


def _in_set(random: Random) -> dict[str, Any]:
    name = _of(random)
    return {"column": name, "values": _values(random, name, 6)}


def _pair_in_set(random: Random) -> dict[str, Any]:
    name, other = _of(random), _of(random)
    pairs = [[_value(random, name), _value(random, other)] for _ in range(random.randrange(1, 8))]
    return {"column": name, "other": other, "pairs": pairs}


def _between(random: Random) -> dict[str, Any]:
    name = _ordered(random)
    return {"column": name, **_bounds(random, name)}


def _compare(random: Random) -> dict[str, Any]:
    name = _of(random)
    operator = random.choice(("<", "<=", "=", "!=", ">", ">="))
    return {"column": name, "operator": operator, "other": random.choice((name, *[_same(random, name)] * 4))}


def _sum(random: Random) -> dict[str, Any]:
    kind = random.choice((Kind.INT64, Kind.DECIMAL))
    names = [name for name, (own, *_) in _TYPES.items() if own is kind]
    total = random.choice(("0", "1", "3", "1.5", "-2", "12.75", "9" * 38))
    more = {"tolerance": random.choice(("0", "0.5", "3", "0.001"))} if random.random() < 0.5 else {}
    return {"columns": random.sample(names, random.randrange(2, 4)), "total": total, **more}


def _distinct(random: Random) -> dict[str, Any]:
    name = random.choice(("word", "whole", "price", "weight", "begun"))
    names = [one for one in _TYPES if _TYPES[one][0] is _TYPES[name][0]]
    return {"columns": random.sample(names, random.randrange(2, len(names) + 1))}


def _castable_to(random: Random) -> dict[str, Any]:
    to = random.choice(("int64", "double", "timestamp", "decimal"))
    precision = random.choice((1, 5, 18, 38))
    more = {"precision": precision, "scale": random.choice((0, precision // 3, precision))}
    return _columned(random, Kind.TEXT, to=to, **(more if to == "decimal" else {}))


def _order(random: Random) -> dict[str, Any]:
    return _columned(random, **({"strictly": True} if random.random() < 0.5 else {}))


_MAKERS: Mapping[str, Callable[[Random], dict[str, Any]]] = {
    "not_null": _columned,
    "null": _columned,
    "regex": lambda r: _columned(r, Kind.TEXT, pattern=r.choice(_PATTERNS)),
    "not_regex": lambda r: _columned(r, Kind.TEXT, pattern=r.choice(_PATTERNS)),
    "regex_list": lambda r: _columned(
        r, Kind.TEXT, patterns=_some(r, _PATTERNS), match_on=r.choice(("any", "all"))
    ),
    "not_regex_list": lambda r: _columned(r, Kind.TEXT, patterns=_some(r, _PATTERNS)),
    "length": lambda r: _columned(r, Kind.TEXT) | _counts(r, 5),
    "castable_to": _castable_to,
    "format": lambda r: _columned(r, Kind.TEXT, format=r.choice(_FORMATS)),
    "json": lambda r: _columned(r, Kind.TEXT),
    "in_set": _in_set,
    "not_in_set": _in_set,
    "pair_in_set": _pair_in_set,
    "between": _between,
    "compare": _compare,
    "sum": _sum,
    "distinct": _distinct,
    "unique": lambda r: {"columns": r.sample(list(_TYPES), r.randrange(1, 4))},
    "increasing": _order,
    "decreasing": _order,
    "row_count": lambda r: _counts(r, 30),
    "columns_present": lambda r: {"columns": r.sample(list(_TYPES), r.randrange(1, 4))},
    "null_share": lambda r: _columned(r, max=r.choice(("0", "0.1", "0.25", "1"))),
    "zip_of_state": lambda r: {"column": _of(r, Kind.TEXT), "state": _of(r, Kind.TEXT)},
}
