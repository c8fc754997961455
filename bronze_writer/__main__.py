"""`python -m bronze_writer`: lands every topic until SIGTERM. `python -m bronze_writer load ENTITY FILE`: one CSV file.

Exit codes: 0 all landed · 1 something is away or refused, start it again · 2 wrong settings or arguments ·
3 the topics hold another history: a person has to give them a new log id.
"""

import argparse
import gc
import json
import logging
import signal
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from adapters.logs import configure_logs
from adapters.msk_auth import kafka_security
from adapters.objects import ObjectStore
from adapters.registry import SchemaRegistry
from adapters.vitals import VitalsPage
from bronze_writer.assignment import Resumption
from bronze_writer.commits import Commits
from bronze_writer.consumer import TopicIds, connect_consumer
from bronze_writer.decode import Decoder
from bronze_writer.lake import PatientStore, Store
from bronze_writer.landing import AnotherHistory
from bronze_writer.lanes import Lanes
from bronze_writer.load import load_file
from bronze_writer.schemas import Schemas
from bronze_writer.settings import LakeSettings, Settings
from bronze_writer.stream import Stream
from bronze_writer.vitals import writer_vitals
from lakehouse.catalog import load_entities
from lakehouse.errors import InputError, NexusError, SettingsError

_log = logging.getLogger("bronze_writer")

# Every record held is an object that Python's collector looks at: after each 700 new ones, its default, that was 30 %
# of the writer's CPU. Records are freed without it.
_COLLECT_AFTER = 100_000


def main(argv: Sequence[str] | None = None) -> int:
    """See the top."""
    arguments = _parse(argv)
    try:
        if arguments.command == "load":
            return load(LakeSettings.from_process(), arguments)
        return stream(Settings.from_process(), arguments.until_caught_up)
    except (SettingsError, InputError) as error:
        print(error, file=sys.stderr)
        return 2
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


def stream(settings: Settings, until_caught_up: bool) -> int:
    """Lands topics until SIGTERM or SIGINT, or to their ends."""
    configure_logs("bronze-writer", settings.lake.log_level)
    drain = threading.Event()
    if until_caught_up:
        drain.set()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: drain.set())
    run(settings, drain, ObjectStore.connect(settings.lake.aws_endpoint, settings.lake.region))
    return 0


def load(settings: LakeSettings, arguments: argparse.Namespace) -> int:
    """Loads one file; its report as JSON on stdout."""
    configure_logs("bronze-load", settings.log_level)
    entity = load_entities().get(arguments.entity)
    if entity is None:
        raise InputError(f"there is no entity {arguments.entity}: give one of {', '.join(load_entities())}")
    report = load_file(
        arguments.file,
        entity,
        ObjectStore.connect(settings.aws_endpoint, settings.region),
        settings.bucket,
        now=lambda: datetime.now(UTC),
        archive=arguments.archive,
        purge=arguments.purge,
    )
    print(json.dumps(vars(report), default=str))
    return 0


def run(settings: Settings, drain: threading.Event, store: Store) -> None:
    """Lands until `drain` is set and everything is landed. Whatever happens, nothing unsafe is committed."""
    gc.set_threshold(_COLLECT_AFTER)
    closing = threading.Event()
    lake = settings.lake
    patient = PatientStore(store, lake.bucket, lake.patience_s, closing)
    registry = SchemaRegistry.connect(lake.aws_endpoint, lake.region, settings.registry)
    schemas = Schemas(patient, registry, lake.patience_s, closing)
    entities = {entity.topic: entity for entity in load_entities().values()}
    decoders = {topic: Decoder(entity, schemas) for topic, entity in entities.items()}
    lanes = Lanes(patient)
    commits = Commits(lanes, time.monotonic)
    security = kafka_security(settings.kafka_auth, lake.region)
    consumer = connect_consumer(settings.broker, commits.on_commit, security)
    with ExitStack() as at_end:  # the last first
        for end in (consumer.close, lanes.close, closing.set):
            at_end.callback(end)
        ids = TopicIds(settings.broker, entities, security)
        resumption = Resumption(patient, settings.log, settings.limits, decoders, entities, ids.first)
        stream = Stream(lanes, commits, resumption, drain, lambda: _write_ready(settings.ready_file), ids.now)
        if settings.health_port is not None:
            page = VitalsPage("127.0.0.1", settings.health_port, writer_vitals(stream))
            at_end.callback(page.close)
        totals = stream.run(consumer, list(entities))
        _log.info("drained", extra={"rows": totals.rows, "objects": totals.objects})


def _write_ready(path: Path | None) -> None:
    if path is not None:
        part = path.with_name(path.name + ".part")
        part.write_text("ready\n")
        part.replace(path)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bronze_writer", description=__doc__)
    parser.add_argument("--until-caught-up", action="store_true", help="land what is there now, then leave")
    commands = parser.add_subparsers(dest="command")
    one = commands.add_parser("load", help="land one CSV file; the same file again changes nothing")
    one.add_argument("entity")
    one.add_argument("file", type=Path)
    after = one.add_mutually_exclusive_group()
    after.add_argument(
        "--archive", type=Path, metavar="FOLDER", help="move the file there once it is verified"
    )
    after.add_argument("--purge", action="store_true", help="delete the file once it is verified")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
