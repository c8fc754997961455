"""The bill: from a template's resources, the price file and a rate of events."""

import json
from pathlib import Path
from typing import Any

import pytest

from lakehouse.errors import InputError
from local.cost import page
from local.cost.__main__ import main
from local.cost.bill import FREE, PRICED
from local.cost.load import RATES, Load, stream_entities
from local.cost.page import asleep, make_bill, to_text
from local.cost.prices import FILE, Price, PriceList
from local.templates import read_settings
from stacks.settings import ENVIRONMENTS

DEV = read_settings("dev")
PRICES = PriceList.load()
FOLDER = Path(page.__file__).parent


def a_template(**resources: dict[str, Any]) -> dict[str, Any]:
    return {"Resources": resources}


def a_cluster(**properties: Any) -> dict[str, Any]:
    return {
        "Type": "AWS::MSK::Cluster",
        "Properties": {
            "NumberOfBrokerNodes": 3,
            "BrokerNodeGroupInfo": {
                "InstanceType": "kafka.t3.small",
                "StorageInfo": {"EBSStorageInfo": {"VolumeSize": 50}},
            },
            **properties,
        },
    }


def a_bucket(layer: str) -> dict[str, Any]:
    return {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": f"{DEV.bucket_prefix}-{layer}"}}


def bill_of(**resources: dict[str, Any]) -> tuple[float, ...]:
    return make_bill({"one": a_template(**resources)}, DEV, PRICES).totals


def test_bill_idle_is_hours_and_disks() -> None:
    hours, disks = 3 * 730 * PRICES.of("kafka.t3.small").usd, 3 * 50 * PRICES.of("kafka storage").usd
    assert bill_of(Cluster=a_cluster())[0] == pytest.approx(hours + disks)


def test_bill_counts_every_broker_host_and_copy() -> None:
    once, twice = (bill_of(Cluster=a_cluster(NumberOfBrokerNodes=n))[0] for n in (3, 6))
    assert twice == pytest.approx(2 * once)
    database = {"DBInstanceClass": "db.t4g.micro", "AllocatedStorage": "20"}
    alone, doubled = (
        bill_of(Ledger={"Type": "AWS::RDS::DBInstance", "Properties": {**database, "MultiAZ": multi}})[0]
        for multi in (False, True)
    )
    assert doubled == pytest.approx(2 * alone)


def test_bill_grows_with_the_rate() -> None:
    costs = bill_of(Cluster=a_cluster(), Bronze=a_bucket("bronze"), Silver=a_bucket("silver"))
    assert list(costs) == sorted(costs)
    assert costs[0] < costs[-1]


def test_bill_moves_old_bronze_to_the_cold_class() -> None:
    load = Load(2_000, DEV)
    assert load.cold_gb("bronze") == pytest.approx(
        load.stored_gb("bronze") * (365 - DEV.storage.cold_after_days) / 365
    )
    assert load.moved_objects("bronze") == load.objects
    assert (load.cold_gb("silver"), load.moved_objects("silver")) == (0, 0)


@pytest.mark.parametrize("rate", [0, 1, 50])
def test_bill_leaves_objects_where_they_are_that_are_too_small_to_move(rate: float) -> None:
    """Below 128 KiB S3's lifecycle does nothing: few events make small objects."""
    assert (Load(rate, DEV).cold_gb("bronze"), Load(rate, DEV).moved_objects("bronze")) == (0, 0)


def test_bill_of_an_alarm_counts_the_metrics_it_looks_at() -> None:
    plain = {"Type": "AWS::CloudWatch::Alarm", "Properties": {"MetricName": "Lag"}}
    metrics = [{"MetricStat": {}}, {"MetricStat": {}}, {"MetricStat": {}}, {"Expression": "a + b + c"}]
    summed = {"Type": "AWS::CloudWatch::Alarm", "Properties": {"Metrics": metrics}}
    assert bill_of(A=summed)[0] == pytest.approx(3 * bill_of(A=plain)[0])


def test_bill_of_the_canary_is_paid_when_nothing_else_happens() -> None:
    """96 times a day it waits a flush and twenty seconds, with half a gigabyte."""
    function = {
        "Type": "AWS::Lambda::Function",
        "Properties": {"FunctionName": "nexus-dev-canary", "MemorySize": 512},
    }
    seconds = 96 * 730 / 24 * (DEV.land.flush_seconds + 20)
    expected = seconds / 2 * PRICES.of("lambda time").usd
    assert bill_of(Canary=function) == pytest.approx([expected] * 4)


def test_bill_of_the_sweep_lists_some_days_of_bronze_every_time() -> None:
    """Two listings of nine entities, and three days of 14,400 objects: 61.2 pages, 96 times a day."""
    function = {
        "Type": "AWS::Lambda::Function",
        "Properties": {"FunctionName": "nexus-dev-sweep-bronze", "MemorySize": 1024},
    }
    listed = 61.2 * 96 * 730 / 24 / 1_000 * PRICES.of("s3 put").usd
    ran = (2 + 61.2 * 0.15) * 96 * 730 / 24 * PRICES.of("lambda time").usd
    assert bill_of(Sweep=function)[1] == pytest.approx(listed + ran)


def test_bill_asleep_is_what_stays_and_the_ledgers_snapshot() -> None:
    key = {"Type": "AWS::KMS::Key"}
    templates = {"storage": a_template(Key=key), "database": a_template(Key=key)}
    kept = PRICES.of("kms key").usd + PRICES.of("rds backup").usd * DEV.database.storage_gib
    assert asleep(make_bill(templates, DEV, PRICES), DEV, PRICES) == pytest.approx(kept)
    assert asleep(make_bill(templates, DEV, PRICES), read_settings("prod"), PRICES) is None


@pytest.mark.parametrize(
    ("rate", "bound"),
    [
        (0, 96 * DEV.streaming.partitions),
        (1, 86_400),
        (50, 86_400 / DEV.land.flush_seconds * len(stream_entities()) * DEV.streaming.partitions),
    ],
)
def test_objects_of_a_day_are_bound_by_events_and_by_age(rate: float, bound: float) -> None:
    assert Load(rate, DEV).objects_per_day <= bound
    assert Load(rate, DEV).objects_per_day >= bound / 10


def test_objects_of_a_day_follow_size_where_there_is_much() -> None:
    load = Load(2_000_000, DEV)
    of_size = load.events_per_day * 300 / (DEV.land.flush_mib * 1024**2)
    assert load.objects_per_day == pytest.approx(of_size)


def test_bill_names_what_nobody_has_looked_at() -> None:
    bill = make_bill({"one": a_template(New={"Type": "AWS::New::Thing"})}, DEV, PRICES)
    assert bill.unknown == {"AWS::New::Thing"}
    assert "AWS::New::Thing" in to_text(bill, DEV, PRICES)


def test_bill_marks_what_rests_on_unverified_prices() -> None:
    sure = Price(1.0, "hour", "https://example.com", "2026-01-01")
    prices = {"nat": sure, "nat traffic": sure, "rds backup": sure}
    unsure = PriceList("here", {**prices, "kms key": Price(2.0, "key-month", "https://example.com", None)})
    bill = make_bill(
        {"one": a_template(Nat={"Type": "AWS::EC2::NatGateway"}, Key={"Type": "AWS::KMS::Key"})}, DEV, unsure
    )
    text = to_text(bill, DEV, unsure)
    assert "KMS Key ?" in text
    assert "EC2 NatGateway ?" not in text
    assert "kms key: $2 per key-month" in text


def test_bill_prints_objects_and_queries_of_a_day() -> None:
    text = to_text(make_bill({"one": a_template(Cluster=a_cluster())}, DEV, PRICES), DEV, PRICES)
    for rate in RATES[1:]:
        assert f"{Load(rate, DEV).objects_per_day:,.0f}" in text
    assert "Athena queries a day" in text


def test_prices_are_numbers_with_a_unit_and_a_source_where_they_are_verified() -> None:
    for name, price in PRICES.prices.items():
        assert price.usd >= 0, name
        assert price.unit, name
        assert price.source is None or price.source.startswith("https://"), name
        assert price.date is None or price.source, f"{name} has a date of nothing"


def test_prices_hold_every_size_that_an_environment_asks_for() -> None:
    for settings in map(read_settings, ENVIRONMENTS):
        wanted = (
            settings.streaming.broker,
            f"ec2.{settings.ingest.instance}",
            f"ec2.{settings.land.instance}",
            f"rds.{settings.database.instance}",
            f"airflow.{settings.orchestration.environment_class}",
        )
        assert [name for name in wanted if name not in PRICES.prices] == []


def test_prices_that_nothing_is_billed_by_are_not_kept() -> None:
    code = "".join(path.read_text("utf-8") for path in (FOLDER / "bill.py", FOLDER / "page.py"))
    sizes = ("kafka.", "express.", "ec2.", "rds.", "airflow.")
    unused = [name for name in PRICES.prices if f'"{name}"' not in code and not name.startswith(sizes)]
    assert unused == []


def test_price_that_is_missing_is_an_error_with_the_remedy() -> None:
    with pytest.raises(InputError, match=r"no price of 'gold'.*prices\.json"):
        PRICES.of("gold")


@pytest.mark.parametrize(
    "text", ["", "[]", '{"region": "x"}', '{"region": "x", "prices": {"a": {"usd": 1}}}']
)
def test_price_file_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "prices.json"
    file.write_text(text)
    with pytest.raises(InputError, match="is no price file"):
        PriceList.load(file)


def test_resource_types_are_priced_or_free_but_not_both() -> None:
    assert set(PRICED) & FREE == set()


def synthesized(folder: Path, environment: str, **templates: dict[str, Any]) -> Path:
    artifacts = {}
    for name, template in templates.items():
        (folder / f"{name}.template.json").write_text(json.dumps(template))
        artifacts[name.capitalize()] = {
            "type": "aws:cloudformation:stack",
            "properties": {
                "stackName": f"nexus-{environment}-{name}",
                "templateFile": f"{name}.template.json",
            },
        }
    (folder / "manifest.json").write_text(json.dumps({"artifacts": artifacts}))
    return folder


def test_cost_is_printed_from_what_was_synthesized(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = synthesized(tmp_path, "dev", streaming=a_template(Cluster=a_cluster()))
    assert main(["dev", "--templates", str(folder)]) == 0
    assert "streaming" in capsys.readouterr().out


def test_cost_without_templates_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dev", "--templates", str(tmp_path)]) == 3
    assert "make synth ENV=dev" in capsys.readouterr().err
    synthesized(tmp_path, "prod", streaming=a_template())
    assert main(["dev", "--templates", str(tmp_path)]) == 3
    assert "is not of dev" in capsys.readouterr().err


def test_cost_exits_1_when_something_is_in_no_bill(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = synthesized(tmp_path, "dev", new=a_template(New={"Type": "AWS::New::Thing"}))
    assert main(["dev", "--templates", str(folder), "--prices", str(FILE)]) == 1
    capsys.readouterr()
