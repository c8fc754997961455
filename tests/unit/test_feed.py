"""The feed: what a folder of CSV files becomes on its way to the edge, and what it says when it cannot."""

import re
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.identity import event_id_of_content
from local.csv_files import open_csv, read_records
from local.feed import PLAIN_ONE_IN, UNDATED, Feed, FeedEvent, open_feed
from local.shop import FORMS, Shop, generate_shop
from local.shop.clock import microseconds, read_moment
from local.shop.forms import FileForm
from tests.builders.feed_folder import ORDER, OTHER, ROWS, a_folder, replace


def events(folder: Path) -> list[FeedEvent]:
    return list(open_feed(folder).stream())


def ids(found: Iterable[FeedEvent]) -> list[str]:
    return [event_id_of_content(e.entity, e.source, e.occurred_at, e.op, e.payload) for e in found]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return generate_shop(tmp_path_factory.mktemp("shop"), seed=7, orders=1000)


@pytest.fixture(scope="module")
def shop_feed(shop: Shop) -> Feed:
    return open_feed(shop.folder)


def test_feed_gives_typed_events_without_empty_cells(tmp_path: Path) -> None:
    order, item, payment, review = events(a_folder(tmp_path))
    assert order.payload == {
        "order_id": ORDER,
        "customer_id": "c1",
        "order_status": "delivered",
        "order_purchase_timestamp": "2018-05-01 10:00:00",
        "order_approved_at": "2018-05-01 10:10:00",
        "order_estimated_delivery_date": "2018-05-20 00:00:00",
    }
    assert (item.payload["order_item_id"], item.payload["price"]) == (1, "58.90")
    assert (payment.payload["payment_sequential"], payment.payload["payment_installments"]) == (1, 8)
    assert review.payload["review_score"] == 5
    assert review.payload["review_comment_message"] == 'Chegou antes.\nObrigado, "amei".'
    assert {e.op for e in (order, item, payment, review)} == {"upsert"}


def test_feed_offers_the_other_files_as_batches(tmp_path: Path) -> None:
    feed = open_feed(a_folder(tmp_path))
    assert feed.batch_files == {
        entity: tmp_path / FORMS[entity].name
        for entity in ("customers", "products", "sellers", "geolocation", "category_translation")
    }


def test_feed_reads_bom_and_crlf(tmp_path: Path) -> None:
    a_folder(tmp_path)
    plain = events(tmp_path)
    for entity in ("orders", "order_items", "payments"):
        path = tmp_path / FORMS[entity].name
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert events(tmp_path) == plain


def test_feed_takes_columns_in_any_order_and_notes_strange_ones(tmp_path: Path) -> None:
    a_folder(tmp_path)
    header = "payment_value,note,order_id,payment_type,payment_sequential,payment_installments"
    replace(tmp_path, "payments", f"{header}\n72.19,x,{ORDER},boleto,1,1\n".encode())
    feed = open_feed(tmp_path)
    payment = next(e for e in feed.stream() if e.entity == "payments")
    assert payment.payload["payment_value"] == "72.19"
    assert "note" not in payment.payload
    assert feed.notes == (
        f"{FORMS['payments'].name}: no contract names note; its cells are left out of the events",
    )


def test_feed_passes_over_blank_lines_and_a_missing_last_line_end(tmp_path: Path) -> None:
    a_folder(tmp_path, payments=["", *ROWS["payments"], "", f"{ORDER},2,voucher,1,5.00"])
    path = tmp_path / FORMS["payments"].name
    path.write_bytes(path.read_bytes().removesuffix(b"\n"))
    payments = [e for e in events(tmp_path) if e.entity == "payments"]
    assert [p.payload["payment_sequential"] for p in payments] == [1, 2]


@pytest.mark.parametrize("score", ["5.0", "cinco", "+5", "05", "9223372036854775808", " 5"])
def test_feed_refuses_rows_whose_whole_number_is_none(tmp_path: Path, score: str) -> None:
    good, bad = ROWS["reviews"][0], f"r2,{ORDER},{score},,,2018-05-11 00:00:00,"
    feed = open_feed(a_folder(tmp_path, reviews=[good, bad]))
    (refused,) = feed.refused
    assert (refused.entity, refused.record, refused.line) == ("reviews", 1, 4)
    assert refused.reason == f"review_score is {score!r}, which is no whole number"
    assert refused.cells[0] == "r2"
    assert feed.records["reviews"] == 2
    assert feed.events["reviews"] == 1 == sum(e.entity == "reviews" for e in feed.stream())


def test_feed_refuses_rows_with_other_than_the_header_s_cells(tmp_path: Path) -> None:
    feed = open_feed(
        a_folder(tmp_path, payments=[f"{ORDER},1,boleto,1,a,b", *ROWS["payments"], f"{ORDER},2"])
    )
    assert [(r.record, r.reason) for r in feed.refused] == [
        (0, "it has 6 cells where the header has 5"),
        (2, "it has 2 cells where the header has 5"),
    ]
    assert feed.total == 4 == len(list(feed.stream()))


def test_feed_reads_civil_time_three_hours_behind_utc() -> None:
    assert read_moment("1970-01-01 00:00:00") == 3 * 3600 * 1_000_000
    assert read_moment("2018-05-01 10:00:00.25") == 1_525_179_600_250_000
    assert read_moment("2017-02-30 10:00:00") is None
    assert read_moment("2016-01-01 00:00:00") == UNDATED


def test_feed_dates_items_and_payments_by_their_order_and_reviews_by_creation(tmp_path: Path) -> None:
    order, item, payment, review = events(a_folder(tmp_path))
    assert order.occurred_at == item.occurred_at == payment.occurred_at == read_moment("2018-05-01 10:00:00")
    assert review.occurred_at == read_moment("2018-05-11 00:00:00")


@pytest.mark.parametrize(
    ("entity", "row", "moment"),
    [
        (
            "orders",
            f"{OTHER},c,created,31/12/2017,2018-01-02 00:00:00,,,2018-02-01 00:00:00",
            "2018-01-02 00:00:00",
        ),
        ("orders", f"{OTHER},c,created,,,,,2018-02-01 00:00:00", "2018-02-01 00:00:00"),
        ("orders", f"{OTHER},c,created,,,,,", "2018-05-01 10:00:00"),
        ("order_items", f"{OTHER},1,p,s,2018-03-03 00:00:00,1.00,1.00", "2018-03-03 00:00:00"),
        ("order_items", f"{OTHER},1,p,s,soon,1.00,1.00", "2018-05-01 10:00:00"),
        ("payments", f"{OTHER},1,boleto,1,1.00", "2018-05-01 10:00:00"),
        ("reviews", f"r2,{ORDER},5,,,ontem,2018-06-01 00:00:00", "2018-05-01 10:00:00"),
        ("reviews", f"r2,{OTHER},5,,,,2018-06-01 00:00:00", "2018-06-01 00:00:00"),
    ],
)
def test_feed_falls_back_to_the_next_moment_it_can_read(
    tmp_path: Path, entity: str, row: str, moment: str
) -> None:
    found = events(a_folder(tmp_path, **{entity: [*ROWS[entity], row]}))
    added = next(
        e for e in found if (e.entity == entity and OTHER in e.payload.values()) or "r2" in e.payload.values()
    )
    assert added.occurred_at == read_moment(moment)


def test_feed_dates_a_first_row_that_says_nothing_before_all_others(tmp_path: Path) -> None:
    first, *_ = events(a_folder(tmp_path, payments=[f"{OTHER},1,boleto,1,1.00", *ROWS["payments"]]))
    assert (first.entity, first.occurred_at) == ("payments", UNDATED)


def test_feed_stream_is_the_same_every_time(shop: Shop, shop_feed: Feed) -> None:
    assert ids(shop_feed.stream()) == ids(shop_feed.stream()) == ids(events(shop.folder))


def test_feed_counts_what_it_gives(shop: Shop, shop_feed: Feed) -> None:
    found = Counter(e.entity for e in shop_feed.stream())
    assert found == shop_feed.events
    assert shop_feed.total == found.total()
    assert shop_feed.events == {
        e: c["events"] for e, c in shop.expectation["entities"].items() if c["events"]
    }


def test_feed_runs_in_the_order_of_time_with_late_rows_behind_it(shop: Shop, shop_feed: Feed) -> None:
    told = shop.expectation
    late = {(i["entity"], *i["key"].values()) for kind in ("late", "resends", "clocks") for i in told[kind]}
    clock, behind = 0, 0
    for event in shop_feed.stream():
        key = tuple(str(event.payload.get(column)) for column in FORMS[event.entity].key)
        if (event.entity, *key) in late:
            behind += event.occurred_at < clock
        else:
            assert event.occurred_at >= clock
            clock = event.occurred_at
    assert behind >= len(told["late"])


def test_feed_sends_an_order_before_what_hangs_on_it(tmp_path: Path) -> None:
    assert [e.entity for e in events(a_folder(tmp_path))] == ["orders", "order_items", "payments", "reviews"]


def test_feed_resends_the_same_ids_and_corrects_under_new_ones(shop: Shop, shop_feed: Feed) -> None:
    stream = list(shop_feed.stream())
    seen = Counter(ids(stream))
    assert sum(count - 1 for count in seen.values()) == len(shop.expectation["resends"])
    for correction in shop.expectation["corrections"]:
        key = correction["key"].items()
        versions = [e for e in stream if e.entity == correction["entity"] and _has(e, key)]
        newest = max(versions, key=lambda e: e.occurred_at)
        assert newest.occurred_at == correction["occurred_at"] > min(v.occurred_at for v in versions)
        for column, value in correction["changes"].items():
            assert str(newest.payload[column]) == value
            assert isinstance(newest.payload[column], int) == (column == "review_score")


def test_feed_deletes_carry_the_key_alone(shop: Shop, shop_feed: Feed) -> None:
    deletes = [e for e in shop_feed.stream() if e.op == "delete"]
    assert len(deletes) == len(shop.expectation["deletes"])
    for event in deletes:
        assert event.payload.keys() == set(FORMS[event.entity].key)


def test_feed_sends_about_one_row_in_ten_the_plain_way_and_all_its_versions_alike(shop_feed: Feed) -> None:
    stream = list(shop_feed.stream())
    assert 0.07 < sum(e.plain for e in stream) / len(stream) < 1.5 / PLAIN_ONE_IN
    ways: dict[tuple[object, ...], set[bool]] = {}
    for event in stream:
        key = (event.entity, *(event.payload.get(column) for column in FORMS[event.entity].key))
        ways.setdefault(key, set()).add(event.plain)
    assert all(len(way) == 1 for key, way in ways.items() if None not in key)


def _has(event: FeedEvent, key: Iterable[tuple[str, str]]) -> bool:
    return all(str(event.payload.get(column)) == value for column, value in key)


def test_feed_of_the_published_files_is_every_row_with_its_sums(olist_data: Path) -> None:
    feed = open_feed(olist_data)
    assert (
        feed.events
        == feed.records
        == {"orders": 99441, "order_items": 112650, "payments": 103886, "reviews": 95064}
    )
    assert not feed.refused
    sums: Counter[str] = Counter()
    last = 0
    for event in feed.stream():
        assert event.occurred_at >= last
        last = event.occurred_at
        for column in ("price", "freight_value", "payment_value"):
            sums[column] += int(Decimal(str(event.payload.get(column, 0))) * 100)
    assert sums == {"price": 1359164370, "freight_value": 225190954, "payment_value": 1600887212}


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\r\x00"), max_size=12)


@given(
    st.lists(st.tuples(CELL, CELL), min_size=1, max_size=20), st.sampled_from(["\n", "\r\n"]), st.booleans()
)
def test_records_come_back_as_they_were_quoted_with_the_bytes_they_take(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], end: str, bom: bool
) -> None:
    form = FileForm("pair", "pair.csv", ("a", "b"))
    lines = ["a,b", *(",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows)]
    content = (b"\xef\xbb\xbf" if bom else b"") + (end.join(lines) + end).encode()
    path = tmp_path_factory.getbasetemp() / "pair.csv"
    path.write_bytes(content)
    found = list(read_records(open_csv(path, form)))
    assert [tuple(record.cells) for record in found] == rows
    pieces = [content[record.start : record.end] for record in found]
    assert b"".join(pieces) == content[found[0].start :]
    assert [record.number for record in found] == list(range(len(rows)))
    for record in found:
        assert record.line == 1 + len(re.findall(b"\n", content[: record.start]))


@given(st.datetimes(), st.datetimes())
def test_moments_keep_their_distance_to_the_microsecond(one: datetime, other: datetime) -> None:
    assert microseconds(one) - microseconds(other) == (one - other) // timedelta(microseconds=1)
    assert read_moment(str(one)) == microseconds(one)
