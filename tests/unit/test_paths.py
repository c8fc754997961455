"""Keys: what one module builds it reads back, and nothing else."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lakehouse.errors import LakeError
from lakehouse.paths import (
    MAX_OFFSET,
    BronzeKey,
    Buckets,
    LoadManifestKey,
    OutputKey,
    bronze_log_prefix,
    closed_log_key,
    day_of,
    is_load,
    load_log,
    topic_of,
)

entities = st.from_regex(r"[a-z][a-z0-9_]{0,62}", fullmatch=True)
logs = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True)
keys = st.builds(
    BronzeKey,
    entities,
    st.dates(),
    logs,
    st.integers(0, 2**31 - 1),
    st.integers(0, MAX_OFFSET),
)
KEY = "orders/year=2018/month=03/day=04/emb-1+0+00000000000000000042.parquet"


@given(keys)
@example(BronzeKey("orders", date(1, 1, 1), "a", 0, 0))
def test_bronze_key_round_trip(key: BronzeKey) -> None:
    assert BronzeKey.parse(str(key)) == key


@given(keys, st.integers(1, 999_999), st.integers(0, 10**10 - 1))
def test_output_key_round_trip(bronze: BronzeKey, major: int, revision: int) -> None:
    key = OutputKey(bronze, major, revision)
    assert OutputKey.parse(str(key)) == key
    assert bronze.silver(major, revision) == bronze.quarantine(major, revision) == str(key)


@given(entities, st.from_regex(r"[0-9a-f]{64}", fullmatch=True))
def test_manifest_key_round_trip(entity: str, sha256: str) -> None:
    key = LoadManifestKey(entity, sha256)
    assert LoadManifestKey.parse(str(key)) == key
    assert is_load(key.log)


@given(keys, keys)
def test_bronze_keys_of_a_partition_and_day_list_in_offset_order(one: BronzeKey, other: BronzeKey) -> None:
    other = BronzeKey(one.entity, one.day, one.log, one.partition, other.first_offset)
    assert (str(one) < str(other)) == (one.first_offset < other.first_offset)
    assert str(other).startswith(bronze_log_prefix(one.entity, one.day, one.log, one.partition))


def test_keys_are_these_for_ever() -> None:
    key = BronzeKey("orders", date(2018, 3, 4), "emb-1", 0, 42)
    assert str(key) == KEY
    assert key.silver(1, 0) == "orders/v1/year=2018/month=03/day=04/emb-1+0+00000000000000000042+r0.parquet"
    assert str(LoadManifestKey("orders", "ab" * 32)) == f"orders/_loads/{'ab' * 32}.json"
    assert load_log("ab" * 32) == "load-abababababababab"
    assert closed_log_key("emb-1") == "_logs/emb-1.json"
    assert topic_of("orders", 1) == "orders.v1"
    assert Buckets.of("olist-data-lake").quarantine == "olist-data-lake-quarantine"


NEAR_MISSES = [
    "",
    KEY + "\n",
    " " + KEY,
    "/" + KEY,
    KEY.replace(".parquet", ".PARQUET"),
    KEY.replace(".parquet", ".parquet.tmp"),
    KEY.replace("orders", "Orders"),
    KEY.replace("orders", "o" * 64),
    KEY.replace("orders", "or/ders"),
    KEY.replace("orders", "../orders"),
    KEY.replace("month=03", "month=3"),
    KEY.replace("month=03", "month=13"),
    KEY.replace("day=04", "day=31").replace("month=03", "month=02"),
    KEY.replace("day=04", "day=00"),
    KEY.replace("year=2018", "year=0000"),
    KEY.replace("year=2018", "year=２０１８"),
    KEY.replace("+0+", "+00+"),
    KEY.replace("+0+", "+-1+"),
    KEY.replace("+0+", " 0 "),
    KEY.replace("+0+", "%2B0%2B"),
    KEY.replace("00000000000000000042", "42"),
    KEY.replace("00000000000000000042", "000000000000000000042"),
    KEY.replace("00000000000000000042", "9" * 20),  # beyond 2^63 - 1
    KEY.replace("emb-1", "emb-"),
    KEY.replace("emb-1", "-emb"),
    KEY.replace("emb-1", "emb_1"),
    KEY.replace("emb-1", "e" * 64),
    KEY.replace("orders/", "orders/v1/"),
    KEY.replace(".parquet", "+r0.parquet"),
]


@pytest.mark.parametrize("text", NEAR_MISSES)
def test_fault_49_bronze_key_refuses_near_misses(text: str) -> None:
    with pytest.raises(LakeError):
        BronzeKey.parse(text)


SILVER = "orders/v1/year=2018/month=03/day=04/emb-1+0+00000000000000000042+r0.parquet"


@pytest.mark.parametrize(
    "text",
    [
        KEY,
        SILVER.replace("v1", "v0"),
        SILVER.replace("v1", "v01"),
        SILVER.replace("v1", "1"),
        SILVER.replace("+r0", "+r00"),
        SILVER.replace("+r0", "+r01"),
        SILVER.replace("+r0", "+r-1"),
        SILVER.replace("+r0", "+R0"),
        SILVER.replace("day=04", "day=32"),
        SILVER + "/",
    ],
)
def test_output_key_refuses_near_misses(text: str) -> None:
    with pytest.raises(LakeError):
        OutputKey.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        f"orders/_loads/{'a' * 63}.json",
        f"orders/_loads/{'A' * 64}.json",
        f"orders/_load/{'a' * 64}.json",
        f"orders/_loads/{'a' * 64}.json ",
    ],
)
def test_manifest_key_refuses_near_misses(text: str) -> None:
    with pytest.raises(LakeError):
        LoadManifestKey.parse(text)


@pytest.mark.parametrize(
    ("entity", "log", "partition", "offset"),
    [("Orders", "a", 0, 0), ("orders", "a+b", 0, 0), ("orders", "a", -1, 0), ("orders", "a", 0, -1)],
)
def test_bronze_key_cannot_be_built_from_what_it_could_not_read(
    entity: str, log: str, partition: int, offset: int
) -> None:
    with pytest.raises(LakeError):
        BronzeKey(entity, date(2018, 3, 4), log, partition, offset)


@pytest.mark.parametrize("prefix", ["", "ab", "-abc", "abc-", "Abc", "a_b", "a" * 48, "a.b"])
def test_bucket_prefix_refuses_what_s3_would(prefix: str) -> None:
    with pytest.raises(LakeError, match="bucket prefix"):
        Buckets.of(prefix)


@pytest.mark.parametrize("sha256", ["", "a" * 63, "A" * 64, "g" * 64])
def test_load_log_refuses_what_is_no_digest(sha256: str) -> None:
    with pytest.raises(LakeError):
        load_log(sha256)


@given(st.datetimes(timezones=st.just(UTC)))
def test_day_of_is_the_utc_day(moment: datetime) -> None:
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    assert day_of((since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000) == moment.date()


@given(st.integers(-(2**63), 2**63 - 1))
@example(2**63 - 1)
@example(-1)  # Kafka's "no timestamp"
def test_day_of_any_broker_time_makes_a_key(broker_time: int) -> None:
    key = BronzeKey("orders", day_of(broker_time), "a", 0, 0)
    assert BronzeKey.parse(str(key)) == key
