"""Edits of rows in Quarantine: which files are understood, which rows they mean, what they change and what never."""

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from lakehouse.catalog import load_entities
from lakehouse.edits import Edits, Note, read_edits
from lakehouse.errors import InputError
from lakehouse.rejudge import Choice, rejudge
from lakehouse.row_check import CheckPlan
from lakehouse.split import Origin, split_rows
from tests.builders.rows import a_raw_row, a_row, bronze_table, parquet_bytes

REVIEWS = load_entities()["reviews"]
PLAN = CheckPlan(REVIEWS)
NOTE = Note("ana", "2026-11-21T12:00:00+00:00", "reviews/_edits/a.csv")


def edits(text: str) -> Edits:
    return read_edits(text.encode(), REVIEWS, NOTE)


def table(*rows: dict[str, Any], all_text: bool = False) -> pa.Table:
    named = [row | {"event_id": f"e{n}"} for n, row in enumerate(rows)]
    return bronze_table(REVIEWS, named, all_text=all_text)


def a_review(**changes: Any) -> dict[str, Any]:
    return a_row("reviews", **changes)


def held(*rows: dict[str, Any], all_text: bool = False) -> pa.Table:
    """These rows as Quarantine has them; each must break a rule."""
    bronze = table(*rows, all_text=all_text)
    split = split_rows(PLAN, bronze, Origin("key", 0, "1.0.0"))
    assert len(split.quarantine) == len(rows)
    return split.quarantine


def applied(given: Edits, rows: pa.Table) -> tuple[pa.Table, list[tuple[str, ...]], list[str]]:
    found = np.zeros(len(given), bool)
    edited = given.apply(rows, found)
    return edited.table, list(edited.changed), given.names(found)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "holds no rows"),
        ("event_id,review_score\n", "holds no rows"),
        ("review_score\n1\n", "neither a column position nor a column event_id"),
        ("event_id\ne0\n", "edits no column"),
        ("event_id,reasons\ne0,x\n", "edits no column"),
        ("event_id,review_score,review_score\ne0,1,2\n", "stands in it twice"),
        ("event_id,row_hash\ne0,1\n", "row_hash cannot be edited in reviews: it is never edited"),
        ("event_id,price\ne0,1\n", "use some of review_id"),
        ("event_id,review_score\n,1\n", "Row 1 has neither a position nor an event id"),
        ("event_id,review_score\ne0,1\ne0,2\n", "e0 stands in it twice"),
        ("event_id,review_score\ne0\n", "Row 1 has 1 cells, the header 2"),
        ('event_id,review_score\n"e0,1\n', "no CSV file"),
        ("PAR1 and no more", "no Parquet file"),
    ],
)
def test_file_that_cannot_be_meant_says_what_to_change(text: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        edits(text)


def test_file_that_is_no_utf8_is_refused() -> None:
    with pytest.raises(InputError, match="save it as UTF-8"):
        read_edits("event_id,review_comment_title\ne0,São\n".encode("latin-1"), REVIEWS, NOTE)


def test_csv_with_a_mark_quotes_and_line_ends_is_read() -> None:
    given = edits('\ufeffevent_id,review_comment_message\r\ne0,"a ""b"",\nc"\r\n')
    found, changed, missing = applied(given, table(a_review()))
    assert found.column("review_comment_message").to_pylist() == ['a "b",\nc']
    assert (changed, missing) == ([("review_comment_message",)], [])


def test_parquet_of_numbers_and_nulls_is_read_as_texts() -> None:
    file = parquet_bytes(
        pa.table({"event_id": ["e0", "e1"], "review_score": pa.array([3, None], pa.int32())})
    )
    found, changed, _ = applied(read_edits(file, REVIEWS, NOTE), table(a_review(), a_review()))
    assert found.column("review_score").to_pylist() == ["3", None]
    assert changed == [("review_score",), ("review_score",)]


def test_rows_are_meant_by_position_event_or_both() -> None:
    lines = [
        "position,event_id,review_score",
        "emb-1/reviews.v1/0/0,,1",
        ",e1,2",
        "emb-1/reviews.v1/0/2,e2,3",
    ]
    lines += ["emb-1/reviews.v1/0/3,e9,4", "emb-1/reviews.v1/0/7,,4"]
    found, _, missing = applied(edits("\n".join(lines)), table(*[a_review(review_score=5)] * 4))
    assert found.column("review_score").to_pylist() == ["1", "2", "3", "5"]
    assert missing == ["emb-1/reviews.v1/0/3", "emb-1/reviews.v1/0/7"]


def test_event_means_every_row_of_it() -> None:
    rows = bronze_table(REVIEWS, [a_review(event_id="e0"), a_review(event_id="e0")])
    found, changed, _ = applied(edits("event_id,review_score\ne0,1\n"), rows)
    assert found.column("review_score").to_pylist() == ["1", "1"]
    assert changed == [("review_score",)] * 2


@pytest.mark.parametrize("all_text", [False, True])
def test_cell_that_says_the_same_changes_nothing(all_text: bool) -> None:
    rows = table(a_review(review_score=4, review_comment_title=None), all_text=all_text)
    found, changed, _ = applied(edits("event_id,review_score,review_comment_title\ne0,4,\n"), rows)
    assert changed == [()]
    assert found.equals(rows)


def test_rejudged_row_says_which_columns_were_edited() -> None:
    rows = held(a_review(review_score=9), a_review(review_score=8), a_raw_row("reviews"))
    whole = a_review()
    names = [f.name for f in REVIEWS.fields]
    cells = ['"' + ("" if whole[n] is None else str(whole[n])) + '"' for n in names]
    lines = [",".join(["event_id", "occurred_at", "source", "op", "contract_version", *names])]
    lines += [",".join([rows.column("event_id")[2].as_py(), "1", "clerk", "upsert", "1.0.0", *cells])]
    given = edits("\n".join(lines))
    found = np.zeros(1, bool)
    result = rejudge(PLAN, rows, Choice(edits=given), found)
    assert (result.judged, result.moved.rows, found.all()) == (1, 1, True)
    [row] = result.silver.to_pylist()
    edit = json.loads(row["edit"])
    assert (edit["by"], edit["at"], edit["file"]) == (NOTE.by, NOTE.at, NOTE.file)
    assert {"source", "review_id", "review_score"} <= set(edit["columns"])
    assert row["row_hash"] == rows.column("row_hash")[2].as_py()
    assert result.quarantine.equals(rows.slice(0, 2))


def test_rejudged_rows_stay_as_they_came_whatever_an_edit_says() -> None:
    rows = held(a_review(review_score=9), a_review(review_score=8))
    result = rejudge(PLAN, rows, Choice(edits=edits("event_id,review_score\ne0,7\n")), np.zeros(1, bool), 5)
    assert result.quarantine.equals(rows)
    assert (result.refusals, len(result.refused)) == ({"review_score_in_range": 1}, 1)
    assert result.refused[0].reasons[0]["value"] == "7"
    assert result.refused[0].position == "emb-1/reviews.v1/0/0"


def test_first_seen_is_the_brokers_time_where_a_calendar_has_it() -> None:
    rows = held(a_review(review_score=9, broker_time=1_500), a_review(review_score=9, broker_time=2**62))
    assert [str(moment) for moment in rows.column("first_seen").to_pylist()] == [
        "1970-01-01 00:00:01.500000",
        "None",
    ]
