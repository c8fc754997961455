"""`python -m bronze_writer`: lands every topic until SIGTERM; `python -m bronze_writer load ENTITY FILE`: one CSV.

Exit codes: 0 all landed · 1 something is away or refused, start it again · 2 wrong settings or arguments ·
3 the topics hold another history: a person has to give them a new log id.
"""

import argparse
import logging
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from adapters.logs import configure_logs
from adapters.objects import ObjectStore
from adapters.registry import SchemaRegistry
from bronze_writer.assignment import Resumption
from bronze_writer.commits import Commits
from bronze_writer.consumer import connect_consumer, topic_ids
from bronze_writer.decode import Decoder
from bronze_writer.lake import PatientStore, Store
from bronze_writer.landing import AnotherHistory
from bronze_writer.lanes import Lanes
from bronze_writer.schemas import Schemas
from bronze_writer.settings import Settings
from bronze_writer.stream import Stream
from lakehouse.catalog import load_entities
from lakehouse.errors import NexusError, SettingsError

_log = logging.getLogger("bronze_writer")


def main(argv: Sequence[str] | None = None) -> int:
    """See the top."""
    arguments = _parse(argv)
    try:
        settings = Settings.from_process()
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    configure_logs("bronze-writer", settings.lake.log_level)
    drain = threading.Event()
    if arguments.until_caught_up:
        drain.set()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: drain.set())
    try:
        run(settings, drain, ObjectStore.connect(settings.lake.aws_endpoint, settings.lake.region))
    except AnotherHistory as error:
        _log.critical("%s", error)
        return 3
    except NexusError as error:
        _log.critical("%s", error)
        return 1
    except Exception:  # noqa: BLE001 - the process's outermost loop
        _log.exception(
            "the writer failed; nothing unsafe was committed, and the next one goes on where it stopped"
        )
        return 1
    return 0


def run(settings: Settings, drain: threading.Event, store: Store) -> None:
    """Lands until `drain` is set and everything is landed. Whatever happens, nothing unsafe is committed."""
    closing = threading.Event()
    lake = settings.lake
    patient = PatientStore(store, lake.bucket, lake.patience_s, closing)
    registry = SchemaRegistry.connect(lake.aws_endpoint, lake.region, settings.registry)
    schemas = Schemas(patient, registry, lake.patience_s, closing)
    entities = {entity.topic: entity for entity in load_entities().values()}
    decoders = {topic: Decoder(entity, schemas) for topic, entity in entities.items()}
    lanes = Lanes(patient)
    commits = Commits(lanes, time.monotonic)
    consumer = connect_consumer(settings.broker, commits.on_commit)
    try:
        ids = topic_ids(settings.broker, entities)
        resumption = Resumption(patient, settings.log, settings.limits, decoders, entities, ids)
        stream = Stream(lanes, commits, resumption, drain, lambda: _write_ready(settings.ready_file))
        totals = stream.run(consumer, list(entities))
        _log.info("drained", extra={"rows": totals.rows, "objects": totals.objects})
    finally:
        closing.set()
        lanes.close()
        consumer.close()


def _write_ready(path: Path | None) -> None:
    if path is not None:
        part = path.with_name(path.name + ".part")
        part.write_text("ready\n")
        part.replace(path)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bronze_writer", description=__doc__)
    parser.add_argument("--until-caught-up", action="store_true", help="land what is there now, then leave")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
