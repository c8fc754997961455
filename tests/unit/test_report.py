"""The report page: needs nothing but itself, says what is true, and never lets data become markup."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.balance import Amount, Balance, PositionBalance, VoidRange
from local.report import (
    EntityCounts,
    ExampleRow,
    Month,
    QuarantineReason,
    Refused,
    ReportData,
    Segment,
    StateLogistics,
    Warned,
    render_report,
)
from local.report.markup import Markup, element, join
from tests.builders.report import ORDERS, a_report, read, text_of

# --- the page as a page -------------------------------------------------------------------------------------------


def test_page_needs_nothing_but_itself() -> None:
    page = render_report(a_report())
    reader = read(page)
    assert not re.search(r"https?:|//[a-z]|url\(|@import|data:", page)
    assert not reader.tags & {"script", "link", "img", "iframe", "object", "form"}
    assert not {name for name, _ in reader.attributes} & {"src", "href", "srcset"}
    assert not [name for name, _ in reader.attributes if name.startswith("on")]


def test_page_is_the_same_for_the_same_data() -> None:
    assert render_report(a_report()) == render_report(a_report())


def test_page_is_made_for_dark_and_for_narrow_screens() -> None:
    page = render_report(a_report())
    assert "prefers-color-scheme: dark" in page
    assert 'name="viewport"' in page
    assert "max-width: 720px" in page


NASTY = '<script>alert("x")</script>&\'"'


def test_page_escapes_whatever_text_it_is_given() -> None:
    row = ExampleRow(NASTY, NASTY, NASTY, {NASTY: NASTY, "column": None})
    raw = ExampleRow(NASTY, NASTY, None, {}, raw=NASTY)
    page = render_report(
        a_report(
            source=NASTY,
            broker=NASTY,
            entities=(EntityCounts(NASTY, ORDERS, 980, 1000, 960, 4),),
            positions=(PositionBalance(NASTY, NASTY, 0, NASTY, 0, 9, 8, 1),),
            voids=(VoidRange(NASTY, NASTY, 0, 8, 9, NASTY),),
            quarantine=(QuarantineReason(NASTY, NASTY, NASTY, NASTY, 10, (row, raw)),),
            warned=(Warned(NASTY, NASTY, NASTY, 1),),
            refused=(Refused(NASTY, 3, NASTY),),
            months=(Month(NASTY, 1, 1.0, 1, 0),),
            states=(StateLogistics(NASTY, 1, 1, 0.1, 0.1, 3.0, 4.0),),
            segments=(Segment(NASTY, 1, 1.0, 1.0, 1.0, 1.0),),
        )
    )
    assert "script" not in read(page).tags
    assert "<script" not in page
    assert "alert(&quot;x&quot;)" in page


# a parser of HTML turns carriage returns and NUL into other signs, whatever was written
@given(st.text(st.characters(codec="utf-8", exclude_characters="\r\x00")))
def test_markup_text_comes_back_as_it_was(text: str) -> None:
    reader = read(element("p", text, title=text))
    assert "".join(reader.words) == text
    assert reader.attributes == [("title", text)]


def test_markup_escapes_text_but_not_markup() -> None:
    assert join(["<", Markup("<b>"), None, 3, ("&",)]) == "&lt;<b>3&amp;"
    assert (
        element("rect", x=1.0, stroke_width=2.555, class_="a", ry=None)
        == '<rect x="1" stroke-width="2.56" class="a"/>'
    )


# --- what it says -------------------------------------------------------------------------------------------------


def test_verdict_closed_gives_the_sum() -> None:
    assert a_report().closed
    words = text_of(render_report(a_report()))
    assert "The balance is closed" in words
    assert "Of 1,500 rows in Bronze, 1,490 are in Silver and 10 in Quarantine." in words


def test_verdict_waits_while_rows_are_unchecked_or_unlanded() -> None:
    waiting = Balance(Amount(10, 3), Amount(8, 2), unchecked=Amount(2, 1))
    behind = PositionBalance("log-1", "orders.v1", 0, "orders", 0, 20, 15, 0)
    report = a_report(entities=(EntityCounts("orders", waiting, 10),), positions=(behind,))
    assert not report.closed
    words = text_of(render_report(report))
    assert "The balance is not closed yet" in words
    assert "Still waiting: 2 rows for the check, 5 events for landing." in words


@pytest.mark.parametrize(
    "balance",
    [
        Balance(Amount(10, 5), Amount(9, 5)),
        Balance(Amount(10, 5), Amount(11, 5)),
        Balance(Amount(10, 5), Amount(10, 6)),
    ],
    ids=["a row too few", "a row too many", "another row"],
)
def test_verdict_is_bad_when_rows_or_hashes_differ(balance: Balance) -> None:
    report = a_report(entities=(EntityCounts("payments", balance, 10), *a_report().entities))
    page = render_report(report)
    assert not report.closed
    assert "The balance does not close Payments: rows are nowhere, or more than once." in text_of(page)
    assert 'class="alarm"' in page


def test_verdict_is_not_fooled_by_errors_of_two_entities_that_cancel() -> None:
    more, less = Balance(Amount(10, 5), Amount(11, 6)), Balance(Amount(10, 5), Amount(9, 4))
    report = a_report(entities=(EntityCounts("orders", more, 10), EntityCounts("reviews", less, 10)))
    assert report.total.closed
    assert not report.closed
    assert "Orders, Reviews: rows are nowhere" in text_of(render_report(report))


def test_verdict_is_bad_when_more_landed_than_the_broker_gave_out() -> None:
    report = a_report(positions=(PositionBalance("log-1", "orders.v1", 0, "orders", 0, 10, 11, 0),))
    assert "The balance does not close" in text_of(render_report(report))


def test_void_ranges_stand_in_the_verdict_and_in_red() -> None:
    void = VoidRange("log-1", "orders.v1", 1, 380, 400, "broker lost")
    position = PositionBalance("log-1", "orders.v1", 1, "orders", 0, 400, 380, 20)
    report = a_report(voids=(void,), positions=(position,))
    assert report.closed
    page = render_report(report)
    assert "The balance is closed, but 20 offsets are void" in text_of(page)
    assert "20 offsets of log-1/orders.v1/1 from 380 to 399: broker lost" in text_of(page)
    assert 'class="voids"' in page
    assert 'class="verdict bad"' in page


def test_balance_shows_each_entity_and_its_hash_sums() -> None:
    words = text_of(render_report(a_report()))
    assert "Orders 1,000 1,000 990 10 0 0 0 agree" in words
    assert "All 1,500 1,500 1,490 10 0 0 0 agree" in words
    assert "Orders ffffffffffffffff 0000000000000005 fffffffffffffffa ffffffffffffffff" in words


def test_tables_have_as_many_cells_in_every_row_as_in_the_head() -> None:
    tables = re.findall(r"<table.*?</table>", render_report(a_report()))
    assert len(tables) == 5
    for table in tables:
        widths = {len(re.findall(r"<t[hd][ >]", row)) for row in re.findall(r"<tr.*?</tr>", table)}
        assert len(widths) == 1


def test_positions_add_up_partitions_of_a_topic_and_unfold_them() -> None:
    words = text_of(render_report(a_report()))
    assert "log-1 orders.v1 2 1,000 1,000 0 0" in words
    assert "load-0123456789abcdef customers.v1 file 500 500 0 0" in words
    assert "log-1 orders.v1 1 0 400 400 0 0" in words


def test_quarantine_shows_the_reason_in_words_and_the_cell_that_broke_it() -> None:
    page = render_report(a_report())
    assert "No such status." in text_of(page)
    assert '<div class="wrong"><dt>order_status</dt><dd>devolvido</dd></div>' in page
    assert "id-1" in page
    assert "log-1/orders.v1/0/7" in page


def test_quarantine_shows_absent_cells_and_raw_bytes() -> None:
    absent = ExampleRow("id", "p", None, {"order_status": None, "customer_id": ""})
    raw = ExampleRow("id", "p", None, {}, raw="s\\xe3o paulo")
    page = render_report(
        a_report(
            quarantine=(QuarantineReason("orders", "r", "order_status", "It is missing.", 2, (absent, raw)),)
        )
    )
    assert page.count("<em>nothing</em>") == 2
    assert "<pre>s\\xe3o paulo</pre>" in page


def test_quarantine_folds_a_long_tail_away_but_keeps_all_of_it() -> None:
    reasons = tuple(QuarantineReason("orders", f"rule_{n}", "c", f"Reason {n}.", n + 1) for n in range(30))
    words = text_of(render_report(a_report(quarantine=reasons)))
    assert "20 more reasons" in words
    assert all(f"rule_{n}" in words for n in range(30))
    assert words.index("rule_29") < words.index("rule_0"), "most rows first"


def test_quarantine_empty_says_so() -> None:
    assert "Quarantine is empty: every row passed." in text_of(render_report(a_report(quarantine=())))


def test_repeats_count_resends_and_deletes() -> None:
    words = text_of(render_report(a_report()))
    assert "1,480 different events and records" in words
    assert "20 of their rows are resends" in words
    assert "1,460 keys are current in Gold" in words
    assert "4 keys were deleted" in words


def test_headlines_are_exact() -> None:
    words = text_of(render_report(a_report()))
    for figure in ("13,591,643.70", "2,251,909.54", "16,008,872.12", "4.09", "8.1%"):
        assert figure in words


def test_refused_rows_are_counted_and_the_first_are_named() -> None:
    refused = tuple(
        Refused("reviews.csv", n, "review_score is 'x', which is no whole number") for n in range(25)
    )
    words = text_of(render_report(a_report(refused=refused)))
    assert "25 rows of the files cannot be a typed event" in words
    assert "reviews.csv, line 0 : review_score is 'x'" in words
    assert "and 5 rows more" in words


def test_insights_say_what_their_charts_show() -> None:
    words = text_of(render_report(a_report()))
    assert "Jun 2018 was the busiest month: 39 orders." in words
    assert "A parcel takes 8.8 days to SP and 26.4 to AM." in words
    assert "1% of the customers (champions) bring 20% of the revenue." in words


def test_page_of_an_empty_lake_says_what_is_missing() -> None:
    page = render_report(
        ReportData(
            "nothing yet", "embedded broker", datetime(2026, 1, 1, tzinfo=UTC), entities=(), positions=()
        )
    )
    words = text_of(page)
    assert "Gold has not been built yet. Run nexus model" in words
    assert "What Gold tells" not in words


def test_page_with_insights_of_a_single_month_without_orders_or_shares() -> None:
    page = render_report(
        a_report(
            months=(Month("2018-01", 0, 0.0, 0, 0),),
            states=(StateLogistics("SP", 1, 0, None, None, None, None),),
            segments=(Segment("unknown", 0, 0.0, None, None, None),),
        )
    )
    assert "No parcel has been delivered yet." in text_of(page)
    assert "nan" not in page.lower().replace("nexus", "")
