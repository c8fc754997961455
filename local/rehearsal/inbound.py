"""Generated Bronze objects, by the product's own writer: files of a small shop, and objects of a stream."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from adapters.objects import ObjectStore
from adapters.registry import SchemaRegistry
from bronze_writer.decode import Decoder
from bronze_writer.lake import PatientStore
from bronze_writer.landing import Place, land
from bronze_writer.load import load_file
from bronze_writer.partition_writer import Record, Run
from bronze_writer.schemas import Schemas
from lakehouse.catalog import Entity, load_entities
from lakehouse.wire import FieldTable, encode, frame_header
from local.shop import generate_shop
from local.shop.tables import new_tables

_PATIENCE_S = 20.0  # the local AWS is there, or the rehearsal has failed
_SEED, _ORDERS = 11, 200  # the smallest shop with all kinds of defects
# A stream's object: orders, and the three ways in which an event is bad or cannot even be read
GOOD, BAD = 97, 3
MENDED = f"rehearsal-{GOOD:03d}"  # the first of the bad ones: its status is none that the shop knows
LOG = "rehearsal-1"


@dataclass(frozen=True)
class Sent:
    """What was put: rows in all, those that must be found in Quarantine, and the objects."""

    rows: int
    bad: int
    objects: int


def load_shop(store: ObjectStore, bucket: str, folder: Path) -> Sent:
    """Every file of a generated shop, as batch loads."""
    shop = generate_shop(folder, _SEED, _ORDERS)
    entities, rows, objects = load_entities(), 0, 0
    for name, table in new_tables().items():
        report = load_file(
            folder / table.form.name, entities[name], store, bucket, now=lambda: datetime.now(UTC)
        )
        rows, objects = rows + report.records, objects + report.objects
    # a producer's clock that runs ahead is no defect of a file: it has none
    bad = {
        (defect["entity"], defect["record"])
        for defect in shop.expectation["defects"]
        if defect["fate"] == "quarantine" and defect["column"] != "occurred_at"
    }
    return Sent(rows, len(bad), objects)


def land_stream(
    store: ObjectStore, registry: SchemaRegistry, bucket: str, at: datetime, partition: int
) -> Sent:
    """One object of the topic of orders, decoded by the schema version that the deployed registry gives."""
    entity, patient = load_entities()["orders"], PatientStore(store, bucket, _PATIENCE_S)
    records = _records(entity, registry.version_id(entity), at)
    decoder = Decoder(entity, Schemas(patient, registry, _PATIENCE_S))
    place = Place(entity.name, LOG, entity.topic, partition)
    landing = land(patient, place, [Run(place, records, "", decoder.encode)], 0)
    return Sent(landing.rows, BAD, landing.objects)


def _records(entity: Entity, schema_version_id: str, at: datetime) -> Sequence[Record]:
    header, table, millis = frame_header(schema_version_id), FieldTable.of(entity), int(at.timestamp() * 1000)
    whole: list[dict[str, str]] = [{}] * GOOD
    broken = [{"order_status": "tweeting"}, {"customer_id": "nobody"}]
    values = [
        header + encode(table, {**_order(number, at), **changes})
        for number, changes in enumerate([*whole, *broken])
    ]
    values.append(b"\x07 no message of this topic")
    assert len(values) == GOOD + BAD
    return [Record.at(offset, millis, value) for offset, value in enumerate(values)]


def _order(number: int, at: datetime) -> dict[str, str | int]:
    return {
        "event_id": f"rehearsal-{number:03d}",
        "occurred_at": int(at.timestamp() * 1_000_000),
        "source": "rehearsal",
        "contract_version": load_entities()["orders"].version,
        "order_id": f"{number:032x}",
        "customer_id": "c0ffee".ljust(32, "0"),
        "order_status": "created",
        "order_purchase_timestamp": at.strftime("%Y-%m-%d %H:%M:%S"),
        "order_estimated_delivery_date": at.strftime("%Y-%m-%d 23:59:59"),
    }
