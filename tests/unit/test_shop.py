"""The shop generator: the same everywhere, believable, and right about what must become of its rows."""

import csv
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from lakehouse.catalog import Entity, Kind, load_entities
from lakehouse.envelope import UNDECODABLE, envelope_rules
from lakehouse.grammar import parse_value
from local.feed import FeedEvent, open_feed
from local.shop import FORMS, Shop, generate_shop
from local.shop.defects import CLOCK_AHEAD
from tests.conftest import Golden
from tests.oracle import judge_row

TODAY_MS = 1_780_000_000_000  # long after all orders, long before a clock that is ahead

Cells = Mapping[str, str | int | None]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return generate_shop(tmp_path_factory.mktemp("shop"), seed=42, orders=8000)


def records(shop: Shop, entity: str) -> Iterator[dict[str, str] | None]:
    """Records as a reader without mercy sees them; None where bytes or cells are wrong."""
    form = FORMS[entity]
    body = (shop.folder / form.name).read_bytes().removeprefix(b"\xef\xbb\xbf")
    rows = csv.reader(body.decode("utf-8", errors="surrogateescape").splitlines(keepends=True), strict=True)
    assert tuple(next(rows)) == form.columns
    for row in rows:
        decoded = not any("\udc80" <= sign <= "\udcff" for cell in row for sign in cell)
        yield dict(zip(form.columns, row, strict=True)) if decoded and len(row) == len(form.columns) else None


def broken_rules(
    entity: Entity, cells: Cells, op: str = "upsert", occurred_at: int = 0
) -> tuple[set[str], set[str]]:
    """Ids of the error and of the warn rules that a row breaks, by the naive check."""
    envelope = {"event_id": "e", "source": "s", "op": op, "contract_version": entity.version}
    moments = {"occurred_at": occurred_at, "broker_time": TODAY_MS}
    verdict = judge_row(entity, {**cells, **envelope, **moments, "raw": None, "raw_reason": None})
    return {reason[0] for reason in verdict.reasons}, set(verdict.warnings)


def test_shop_same_seed_gives_same_bytes_on_every_platform(tmp_path: Path, golden: Golden) -> None:
    generate_shop(tmp_path, seed=1, orders=200)
    sums = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}"
        for path in sorted(tmp_path.glob("*.csv"))
    ]
    golden.check("shop-seed-1-orders-200.sha256", "\n".join(sums) + "\n")


def test_shop_other_seed_gives_another_shop(tmp_path: Path) -> None:
    generate_shop(tmp_path / "one", seed=1, orders=200)
    generate_shop(tmp_path / "two", seed=2, orders=200)
    for form in FORMS.values():
        if form.entity != "category_translation":
            assert (tmp_path / "one" / form.name).read_bytes() != (tmp_path / "two" / form.name).read_bytes()


def test_shop_too_small_says_how_small_it_may_be(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="200 or more"):
        generate_shop(tmp_path, seed=1, orders=199)


@pytest.mark.parametrize("seed", range(5))
def test_shop_smallest_has_every_kind_of_defect(tmp_path: Path, seed: int) -> None:
    small = generate_shop(tmp_path, seed, orders=200)
    large_kinds = {(d["entity"], d["kind"]) for d in small.expectation["defects"]}
    assert len(large_kinds) >= 50


def test_forms_have_the_columns_and_keys_of_the_contracts() -> None:
    entities = load_entities()
    assert FORMS.keys() <= entities.keys()
    for name, form in FORMS.items():
        assert form.columns == tuple(f.name for f in entities[name].fields)
        assert form.key == entities[name].key


def test_defects_break_exactly_the_rules_they_name(shop: Shop) -> None:
    listed = {(d["entity"], d["record"]): set(d["rules"]) for d in shop.expectation["defects"]}
    found = {}
    for name in FORMS:
        entity = load_entities()[name]
        for number, cells in enumerate(records(shop, name)):
            errors, warnings = ({UNDECODABLE}, set()) if cells is None else broken_rules(entity, cells)
            if errors or warnings:
                found[name, number] = errors | warnings
    assert found == {row: rules for row, rules in listed.items() if rules != {CLOCK_AHEAD}}


def test_defects_fates_are_the_severities_of_their_rules(shop: Shop) -> None:
    severities = {(e.name, rule.id): rule.severity for e in load_entities().values() for rule in e.rules}
    for defect in shop.expectation["defects"]:
        own = {severities.get((defect["entity"], rule), "error") for rule in defect["rules"]}
        assert ("error" in own) == (defect["fate"] == "quarantine"), defect


def test_defects_name_the_envelope_s_rule_for_a_clock_that_is_ahead() -> None:
    assert CLOCK_AHEAD in {rule.id for rule, _ in envelope_rules(load_entities()["orders"])}


def test_defects_are_many_kinds_over_all_entities(shop: Shop) -> None:
    defects = shop.expectation["defects"]
    assert {d["entity"] for d in defects} == FORMS.keys()
    assert len({(d["entity"], d["kind"]) for d in defects if d["fate"] == "quarantine"}) >= 30
    assert len({(d["entity"], d["kind"]) for d in defects if d["fate"] == "warn"}) >= 15


def test_defects_stand_where_they_are_said_to_stand(shop: Shop) -> None:
    rows = {name: list(records(shop, name)) for name in FORMS}
    for defect in shop.expectation["defects"]:
        cells = rows[defect["entity"]][defect["record"]]
        if cells is not None:
            assert {column: cells[column] for column in defect["key"]} == defect["key"]
            if defect["column"] != "occurred_at":
                assert cells[defect["column"]] == defect["value"]


def test_expectation_counts_are_the_sums_of_what_it_lists(shop: Shop) -> None:
    told = shop.expectation
    for name, counts in told["entities"].items():
        assert counts["records"] == len(list(records(shop, name)))
        extras = [
            i for kind in ("resends", "corrections", "deletes") for i in told[kind] if i["entity"] == name
        ]
        assert counts["bronze"] == counts["records"] + len(extras) == counts["silver"] + counts["quarantine"]
        assert sum(counts["quarantined_by_rule"].values()) >= counts["quarantine"]


def test_expectation_gold_is_what_a_replay_of_the_feed_gives(shop: Shop) -> None:
    """Newest version of each key by moment, then arrival, over the events that no error rule stops."""
    newest: dict[tuple[str, ...], tuple[int, int, FeedEvent]] = {}
    stopped: Counter[str] = Counter()
    for number, event in enumerate(open_feed(shop.folder).stream()):
        entity = load_entities()[event.entity]
        if broken_rules(entity, event.payload, event.op, event.occurred_at)[0]:
            stopped[event.entity] += 1
            continue
        key = (event.entity, *(str(event.payload[column]) for column in entity.key))
        newest[key] = max(newest.get(key, (0, 0, event)), (event.occurred_at, number, event))
    rows = defaultdict(list)
    for _, _, event in newest.values():
        if event.op == "upsert":
            rows[event.entity].append(event.payload)
    told, counts = shop.expectation["gold"], shop.expectation["entities"]
    for name in ("orders", "order_items", "payments", "reviews"):
        assert len(rows[name]) == told[name]["rows"] == counts[name]["current"]
        assert stopped[name] == counts[name]["quarantine"]
    for name, column in (
        ("order_items", "price"),
        ("order_items", "freight_value"),
        ("payments", "payment_value"),
    ):
        assert sum(Decimal(str(row[column])) for row in rows[name]) == Decimal(told[name][column])
    assert Counter(row["order_status"] for row in rows["orders"]) == told["orders"]["order_status"]
    assert sum(int(row["review_score"] or 0) for row in rows["reviews"]) == told["reviews"]["review_score"]


def test_shop_json_on_disk_is_the_expectation(shop: Shop) -> None:
    on_disk = json.loads((shop.folder / "shop.json").read_text("utf-8"))
    assert on_disk == json.loads(json.dumps(shop.expectation))


def test_shop_story_meets_itself_on_purpose(shop: Shop) -> None:
    told = shop.expectation

    def rows_of(kind: str) -> set[tuple[str, int]]:
        return {(item["entity"], item["record"]) for item in told[kind]}

    assert rows_of("late") & rows_of("corrections"), "a first version that arrives after the second"
    assert rows_of("resends") & rows_of("deletes"), "a copy that arrives after the delete"
    spoilt = {(d["entity"], d["record"]) for d in told["defects"]}
    for kind in ("late", "resends", "corrections", "deletes"):
        assert rows_of(kind)
        assert not rows_of(kind) & spoilt


def test_files_have_the_quirks_of_the_published_ones(shop: Shop) -> None:
    translation = (shop.folder / FORMS["category_translation"].name).read_bytes()
    assert translation.startswith(b"\xef\xbb\xbfproduct_category_name,")
    assert translation.count(b"\r\n") == translation.count(b"\n") > 30
    zips = [row["customer_zip_code_prefix"] for row in records(shop, "customers") if row]
    assert any(zip_code.startswith("0") for zip_code in zips)
    messages = [row["review_comment_message"] for row in records(shop, "reviews") if row]
    assert sum("\n" in message for message in messages) > 20
    places = Counter(tuple(row.values()) for row in records(shop, "geolocation") if row)
    assert sum(count - 1 for count in places.values()) > 1000, "exact copies"


def test_shop_seasons_show(shop: Shop) -> None:
    days = Counter(row["order_purchase_timestamp"][:10] for row in records(shop, "orders") if row)
    assert days.most_common(1)[0][0] == "2017-11-24", "Black Friday"
    months = Counter(row["order_purchase_timestamp"][:7] for row in records(shop, "orders") if row)
    assert months["2018-05"] > 3 * months["2017-02"], "growth"
    hours = Counter(row["order_purchase_timestamp"][11:13] for row in records(shop, "orders") if row)
    assert hours["14"] > 10 * hours["04"]


def test_shop_distance_delays_and_lateness_costs_stars(shop: Shop) -> None:
    homes = {row["customer_id"]: row["customer_state"] for row in records(shop, "customers") if row}
    scores = {row["order_id"]: row["review_score"] for row in records(shop, "reviews") if row}
    days: dict[str, list[float]] = defaultdict(list)
    stars: dict[bool, list[int]] = defaultdict(list)
    for row in records(shop, "orders"):
        assert row is not None
        bought, came, due = (
            parse_value(Kind.TIMESTAMP, row[f"order_{name}"])
            for name in ("purchase_timestamp", "delivered_customer_date", "estimated_delivery_date")
        )
        if bought is None or came is None or due is None or row["order_status"] != "delivered":
            continue
        days[homes.get(row["customer_id"], "")].append((came - bought).total_seconds() / 86400)  # type: ignore[operator,union-attr]
        if row["order_id"] in scores:
            stars[came > due].append(int(scores[row["order_id"]]))  # type: ignore[operator]
    assert mean(days["SP"]) < mean(days["RJ"]) < mean(days["BA"]) < mean(days["AM"])
    assert mean(stars[False]) > 4
    assert mean(stars[True]) < 3
    assert 0.04 < len(stars[True]) / len(stars[False]) < 0.14


def test_shop_payments_cover_price_and_freight(shop: Shop) -> None:
    spoilt = {d["key"].get("order_id") for d in shop.expectation["defects"]}
    due, paid = Counter[str](), Counter[str]()
    for row in records(shop, "order_items"):
        assert row is not None
        if row["order_id"] not in spoilt:
            due[row["order_id"]] += int(Decimal(row["price"]) * 100) + int(
                Decimal(row["freight_value"]) * 100
            )
    for row in records(shop, "payments"):
        assert row is not None
        if row["order_id"] in due:
            paid[row["order_id"]] += int(Decimal(row["payment_value"]) * 100)
    assert paid == due


def test_shop_people_come_again_under_another_customer_id(shop: Shop) -> None:
    people = Counter(row["customer_unique_id"] for row in records(shop, "customers") if row)
    again = sum(count > 1 for count in people.values())
    assert 0.02 < again / len(people) < 0.06


def mean(numbers: list[float] | list[int]) -> float:
    return sum(numbers) / len(numbers)
