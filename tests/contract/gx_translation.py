"""Cases of Great Expectations as contracts of ours: the same rows, and rules that say the same.

Their patterns search, ours match the whole text. Their pairs ask for both values unless both are missing; ours say
nothing where one is missing, so rules about presence are added. Their nulls in sets, lengths and bounds pass, as ours.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from lakehouse.catalog import Entity
from lakehouse.compilers.lock import extend_lock
from lakehouse.compilers.plan import compile_entity
from lakehouse.contract import parse_contract
from tests.builders.contracts import a_column, a_contract, as_yaml

Case = Mapping[str, Any]
Body = dict[str, Any]

# id → why no rule of ours says it
NOT_APPLICABLE = {
    "expect_column_values_to_be_of_type/*": "names a type of pandas; a column's type is the contract's",
    "expect_column_values_to_be_in_type_list/*": "names types of pandas; a column's type is the contract's",
    "expect_column_value_z_scores_*": "compares with the mean of all rows: a figure of the whole, not of a row",
    "expect_column_values_to_be_dateutil_parseable/*": "dateutil guesses; ours is a format or a grammar",
    "expect_column_values_to_match_json_schema/*": "asks what is inside the text; a column of its own would say it",
    "expect_column_pair_values_to_be_equal/0/1": "numbers and texts in one column; a column has one type",
    "expect_column_pair_values_to_be_equal/0/3": "numbers and texts in one column; a column has one type",
    "expect_compound_columns_to_be_unique/1/2": "its condition is about two columns; a condition is about one",
    "expect_multicolumn_sum_to_equal/1/2": "its condition is about three columns; a condition is about one",
}
# Refused when the contract is compiled: nothing could pass, which is never meant.
REFUSED = {"expect_column_value_lengths_to_be_between/0/5": "min 1 above max 0"}
_NOW = datetime(2026, 1, 1)
_ANYTHING = "(.|\n)*"


def why_not(case: Case) -> str | None:
    """Why a case cannot be run, or None."""
    return next((why for pattern, why in NOT_APPLICABLE.items() if fnmatchcase(case["id"], pattern)), None)


@dataclass(frozen=True)
class Translated:
    """The contract's document, and rows of texts for its columns. The rules' broken rows together are the case's."""

    document: dict[str, Any]
    rows: Sequence[Mapping[str, str | None]]

    def entity(self) -> Entity:
        """The contract compiled; ContractError when it is refused."""
        contract = parse_contract("case.yaml", as_yaml(self.document))
        return compile_entity(contract, extend_lock(contract, None), 7)


def translate(case: Case) -> Translated:
    """A case that `why_not` says nothing of."""
    types = {name: _type(case, name) for name in case["data"]}
    bodies = [_texts_of(body) for body in _bodies(case)]
    when = _condition(case["kwargs"].get("row_condition"))
    document = a_contract()
    document["customProperties"][1]["value"] = "batch"
    document["schema"][0] |= {
        "properties": [
            a_column(_name(name), logical, **({"physicalType": physical} if physical else {}))
            for name, (logical, physical) in types.items()
        ],
        "quality": [_rule(number, body | when) for number, body in enumerate(bodies)],
    }
    count = max(len(values) for values in case["data"].values())
    rows = [
        {_name(name): _cell(values[n], types[name][0]) for name, values in case["data"].items()}
        for n in range(count)
    ]
    return Translated(document, rows)


def _name(name: str) -> str:
    return name.replace(" ", "_")


def _type(case: Case, name: str) -> tuple[str, str]:
    """logicalType and physicalType, by what is in the column; mixed ones are texts."""
    values = [value for value in case["data"][name] if value is not None]
    if any(types.get(name) == "datetime" for types in case["types"].values()):
        return "timestamp", ""
    if values and all(type(value) is int for value in values):
        return "integer", ""
    if values and all(type(value) in (int, float) for value in values):
        return "number", "decimal(20,6)" if "sum" in case["expectation"] else "double"
    return "string", ""


def _cell(value: Any, logical: str) -> str | None:
    if value is None:
        return None
    return str(value).replace("T", " ") if logical == "timestamp" else str(value)


def _rule(number: int, body: Body) -> dict[str, Any]:
    return {
        "id": f"rule_{number}",
        "type": "custom",
        "engine": "keystone-nexus",
        "severity": "warn",
        "dimension": "accuracy",
        "description": "The case's rule is broken.",
        "implementation": body,
    }


def _texts_of(body: Body) -> Body:
    """Bounds and sets as contracts write them: numbers other than whole ones as texts."""
    return {
        key: str(value) if isinstance(value, float) else value
        for key, value in body.items()
        if value is not None
    }


def _condition(text: str | None) -> Body:
    """`column == value` of pandas."""
    if text is None:
        return {}
    found = re.fullmatch(r"(\w+) == (\w+)", text)
    assert found is not None, text
    return {"when": {"column": found[1], "in": [found[2]]}}


def _bodies(case: Case) -> list[Body]:
    kwargs = case["kwargs"]
    short = re.sub("^expect_(column_|select_column_)?", "", case["expectation"])
    if "column_A" in kwargs:
        return _pair(short, kwargs)
    column = {"column": _name(kwargs["column"])} if "column" in kwargs else {}
    return [column | _SAID[short](kwargs)]


_SAID: Mapping[str, Callable[[Mapping[str, Any]], Body]] = {
    "value_lengths_to_be_between": lambda kwargs: {"rule": "length", **_limits(kwargs)},
    "value_lengths_to_equal": lambda kwargs: {
        "rule": "length",
        "min": kwargs["value"],
        "max": kwargs["value"],
    },
    "values_to_be_between": lambda kwargs: {"rule": "between", **_limits(kwargs)},
    "values_to_be_null": lambda kwargs: {"rule": "null"},
    "values_to_not_be_null": lambda kwargs: {"rule": "not_null"},
    "values_to_be_in_set": lambda kwargs: {"rule": "in_set", "values": kwargs["value_set"]},
    "values_to_not_be_in_set": lambda kwargs: {"rule": "not_in_set", "values": kwargs["value_set"]},
    "values_to_match_regex": lambda kwargs: {"rule": "regex", "pattern": _whole(kwargs["regex"])},
    "values_to_not_match_regex": lambda kwargs: {"rule": "not_regex", "pattern": _whole(kwargs["regex"])},
    "values_to_match_regex_list": lambda kwargs: {
        "rule": "regex_list",
        "patterns": [_whole(one) for one in kwargs["regex_list"]],
        "match_on": kwargs.get("match_on"),
    },
    "values_to_not_match_regex_list": lambda kwargs: {
        "rule": "not_regex_list",
        "patterns": [_whole(one) for one in kwargs["regex_list"]],
    },
    "values_to_match_strftime_format": lambda kwargs: {"rule": "format", "format": kwargs["strftime_format"]},
    "values_to_be_json_parseable": lambda kwargs: {"rule": "json"},
    "values_to_be_increasing": lambda kwargs: {"rule": "increasing", "strictly": kwargs.get("strictly")},
    "values_to_be_decreasing": lambda kwargs: {"rule": "decreasing", "strictly": kwargs.get("strictly")},
    "values_to_be_unique": lambda kwargs: {
        "rule": "unique",
        "columns": [_name(kwargs["column"])],
        "column": None,
    },
    "compound_columns_to_be_unique": lambda kwargs: {"rule": "unique", "columns": kwargs["column_list"]},
    "multicolumn_sum_to_equal": lambda kwargs: {
        "rule": "sum",
        "columns": kwargs["column_list"],
        "total": kwargs["sum_total"],
    },
    "values_to_be_unique_within_record": lambda kwargs: {
        "rule": "distinct",
        "columns": kwargs["column_list"],
    },
}


def _pair(short: str, kwargs: Mapping[str, Any]) -> list[Body]:
    one, two = kwargs["column_A"], kwargs["column_B"]
    body: Body = {"column": one, "other": two}
    if short == "pair_values_to_be_in_set":
        body |= {"rule": "pair_in_set", "pairs": kwargs["value_pairs_set"]}
    elif short == "pair_values_to_be_equal":
        body |= {"rule": "compare", "operator": "="}
    else:
        assert short == "pair_values_a_to_be_greater_than_b", short
        body |= {"rule": "compare", "operator": ">=" if kwargs.get("or_equal") else ">"}
    if kwargs.get("ignore_row_if") == "either_value_is_missing":
        return [body]
    both = [
        {"rule": "not_null", "column": a, "when": {"column": b, "present": True}}
        for a, b in ((one, two), (two, one))
    ]
    return [body, *both]


def _limits(kwargs: Mapping[str, Any]) -> Body:
    """Of the case, none of those that say nothing."""
    found = {key: _moment(kwargs.get(f"{key}_value")) for key in ("min", "max")}
    strict = {f"strict_{key}": True for key in ("min", "max") if kwargs.get(f"strict_{key}")}
    return found | strict


def _moment(value: Any) -> Any:
    """A moment that the case computes, as a contract writes it."""
    if not isinstance(value, dict):
        return value
    moments = {
        "now()": _NOW,
        "now() - timedelta(weeks=52*100)": _NOW - timedelta(weeks=52 * 100),
        "datetime(1969, 1, 1)": datetime(1969, 1, 1),
    }
    return str(moments[value["$PARAMETER"]])


def _whole(pattern: str) -> str:
    """A pattern that is searched for as one that matches the whole text, in the portable dialect."""
    start, end = pattern.startswith("^"), pattern.endswith("$")
    body = pattern.removeprefix("^").removesuffix("$").replace("\\s", "[ \t\n\r\f\v]")
    return ("" if start else _ANYTHING) + (f"({body})" if body else "") + ("" if end else _ANYTHING)
