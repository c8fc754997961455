"""A Brazilian zip code lies in the state that another column names. Source: the ranges of Correios (CEP)."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.catalog import Field, Kind, Rule
from lakehouse.kernels import cast_texts
from lakehouse.place import Place
from lakehouse.rules.kind import Args, Columns, RuleKind, Test, TypedColumn, require_kind
from lakehouse.text_view import Mask

# The first five digits, both ends included; what lies between the ranges belongs to no state.
RANGES: Mapping[str, tuple[tuple[int, int], ...]] = {
    "SP": ((1000, 19999),),
    "RJ": ((20000, 28999),),
    "ES": ((29000, 29999),),
    "MG": ((30000, 39999),),
    "BA": ((40000, 48999),),
    "SE": ((49000, 49999),),
    "PE": ((50000, 56999),),
    "AL": ((57000, 57999),),
    "PB": ((58000, 58999),),
    "RN": ((59000, 59999),),
    "CE": ((60000, 63999),),
    "PI": ((64000, 64999),),
    "MA": ((65000, 65999),),
    "PA": ((66000, 68899),),
    "AP": ((68900, 68999),),
    "AM": ((69000, 69299), (69400, 69899)),
    "RR": ((69300, 69399),),
    "AC": ((69900, 69999),),
    "DF": ((70000, 72799), (73000, 73699)),
    "GO": ((72800, 72999), (73700, 76799)),
    "RO": ((76800, 76999),),
    "TO": ((77000, 77999),),
    "MT": ((78000, 78899),),
    "MS": ((79000, 79999),),
    "PR": ((80000, 87999),),
    "SC": ((88000, 89999),),
    "RS": ((90000, 99999),),
}


def _state_of_zips() -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """Of each zip code the number of its state; -2 for none."""
    found = np.full(100_000, -2, np.int64)
    for number, ranges in enumerate(RANGES.values()):
        for low, high in ranges:
            found[low : high + 1] = number
    return found


def _read(body: Place, columns: Mapping[str, TypedColumn], column: TypedColumn) -> Args:
    require_kind(body, column, Kind.TEXT)
    state = columns[body.at("state").one_of(list(columns))]
    if state.kind is not Kind.TEXT:
        body.at("state").fail(f"{state.name} is {state.kind}", "Name the column of the state's two letters.")
    return {"state": state.name}


def _make(rule: Rule, fields: Mapping[str, Field]) -> Test:
    """Only five digits beside a state that there is: for anything else there are other rules."""
    states, named = _state_of_zips(), rule.args["state"]
    known = pa.array(list(RANGES), pa.string())

    def test(columns: Columns) -> Mask:
        texts = columns[rule.column].values
        five = pc.fill_null(pc.match_substring_regex(texts, r"\A[0-9]{5}\z"), fill_value=False)
        digits = pc.utf8_ltrim(texts, "0")
        zips = cast_texts(Kind.INT64, pc.if_else(five, digits, None)).values.fill_null(0).to_numpy()
        wanted = pc.fill_null(pc.index_in(columns[named].values, value_set=known), -1).to_numpy()
        applies: Mask = five.to_numpy(zero_copy_only=False) & (wanted >= 0)
        found: Mask = states[np.minimum(zips, 99_999)] != wanted
        return found & applies

    return test


KIND = RuleKind("zip_of_state", "state", _read, _make, column_args=("state",))
