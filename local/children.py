"""The table of what runs on one machine: who, with what, after whom, ready when, stopped in which order.

Every child's environment is built here (`child_environment`) and is all it gets: nothing is inherited, so no
variable of a person's shell can lead a local run to a real AWS account.
"""

import os
import secrets
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from lakehouse.errors import RuntimeFault
from local.postgres import start_postgres
from local.processes import Child, Command, read_when_written, spawn
from local.run_state import CODE, OWN_KAFKA, OpenLogs, Site, lake_environment
from local.supervision import ChildPlan

AWS, LEDGER, BROKER, WATCH = "aws", "postgres", "broker", "watch"
HOST, WRITER, CHECK, GOLD = "grpc", "writer", "check", "gold"


@dataclass(frozen=True)
class Steps:
    """What is done in the supervisor's own process. All idempotent, all raise NexusError.

    `prepare_aws` makes buckets, queues and rules and registers the schemas; it gives the check queue's URL.
    `migrate_ledger` brings the tables up to date. `prepare_broker` makes the topics of a real Kafka.
    """

    prepare_aws: Callable[[Site], str]
    migrate_ledger: Callable[[Site], None]
    prepare_broker: Callable[[Site], None]


def build_table(site: Site, steps: Steps, topics: Sequence[str]) -> tuple[ChildPlan, ...]:
    """The table for these options, in order of need."""
    workers = [f"{CHECK}-{number}" for number in range(1, site.options.check_processes + 1)]
    return (
        ChildPlan(
            AWS,
            "object store",
            launch=_launch_aws,
            ready=_aws_ready,
            then=lambda s: replace(s, check_queue_url=steps.prepare_aws(s)),
            stop_within_s=10,  # it ends the write in hand
            stop_rank=7,
        ),
        _broker_plan(site, steps, topics),
        _ledger_plan(site, steps),  # its launch waits: the others come up meanwhile
        ChildPlan(
            WATCH,
            "broker watch",
            launch=partial(_launch_module, name=WATCH, module="local.broker_watch"),
            ready=lambda s: s,  # it is of use as soon as it runs, and nobody waits for it
            after=(LEDGER, BROKER),
            stop_within_s=10,
            stop_rank=4,
        ),
        ChildPlan(
            HOST,
            "gRPC host",
            launch=_launch_host,
            ready=_host_ready,
            after=(AWS, BROKER),
            stop_within_s=20,  # calls in hand end at the producer's own deadline, 10 s
            stop_rank=1,
        ),
        ChildPlan(
            WRITER,
            "Bronze writer",
            launch=partial(_launch_module, name=WRITER, module="bronze_writer"),
            ready=partial(_ready, name=WRITER),
            after=(AWS, LEDGER, BROKER),
            # 36 partitions x 3 MB of backlog are 400,000 events: 10 s of landing here, 6 times that elsewhere
            stop_within_s=60,
            stop_rank=2,
        ),
        *(
            ChildPlan(
                name,
                "check runner",
                launch=partial(_launch_module, name=name, module="local.check_runner"),
                ready=partial(_ready, name=name),
                after=(AWS, LEDGER),
                stop_within_s=120,  # 50 ms per object, a thousand of them left by a slow machine
                stop_rank=3,
            )
            for name in workers
        ),
        *((_gold_plan(),) if site.options.refresh else ()),
    )


def child_environment(site: Site, name: str) -> dict[str, str]:
    """The whole environment of a child. What a person gave in `options.environment` wins over the defaults."""
    return {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(CODE),
        "PYTHONUNBUFFERED": "1",
        **site.options.environment,
        **lake_environment(site),
        "NEXUS_READY_FILE": str(ready_file(site, name)),
    }


def ready_file(site: Site, name: str) -> Path:
    """What a child writes (whole, by rename) when it works: its port, or any word."""
    return site.run / f"{name}.ready"


def python_child(site: Site, name: str, module: str, *arguments: str, **more: str) -> Child:
    """Starts `python -m module` with its environment, its former ready file removed."""
    ready_file(site, name).unlink(missing_ok=True)
    argv = (sys.executable, "-m", module, *arguments)
    return spawn(Command(name, argv, {**child_environment(site, name), **more}, site.run), site.logs)


def mint_log_id(now: datetime, token: str) -> str:
    """Id of one life of the embedded broker; `token` (4 hex digits) tells two starts in a second apart."""
    return f"emb-{now.astimezone(UTC):%Y%m%dt%H%M%S}-{token}"


def _launch_aws(site: Site) -> tuple[Child, Site]:
    port_file = ready_file(site, AWS)
    arguments: tuple[str, ...] = (
        "--lake",
        str(site.lake),
        "--port",
        str(site.aws_port),
        "--port-file",
        str(port_file),
    )
    arguments += ("--region", site.options.region)
    return python_child(site, AWS, "local.aws_server", *arguments), site


def _gold_plan() -> ChildPlan:
    return ChildPlan(
        GOLD,
        "Gold refresh",
        launch=partial(_launch_module, name=GOLD, module="local.refresh"),
        ready=lambda s: s,  # it loads dbt for the first build, which nobody waits for
        after=(AWS, LEDGER),
        stop_within_s=60,  # a last build takes 5 s; one that is cut off changes nothing, the next start does it
        stop_rank=4,
    )


def _ledger_plan(site: Site, steps: Steps) -> ChildPlan:
    def then(ready: Site) -> Site:
        steps.migrate_ledger(ready)
        return ready

    if site.options.ledger_url:
        url = site.options.ledger_url
        return ChildPlan(LEDGER, "ledger", lambda s: (None, replace(s, ledger_url=url)), lambda s: s, then)
    # stop: fast shutdown, one checkpoint of 32 MB at most
    return ChildPlan(LEDGER, "ledger", _launch_postgres, lambda s: s, then, stop_within_s=20, stop_rank=6)


def _launch_postgres(site: Site) -> tuple[Child, Site]:
    server = start_postgres(site.lake / "pg", site.logs, site.ledger_port)
    found = replace(site, ledger_url=server.url, ledger_port=server.port, notes=server.notes)
    return server.child, found


def _broker_plan(site: Site, steps: Steps, topics: Sequence[str]) -> ChildPlan:
    def then(ready: Site) -> Site:
        steps.prepare_broker(ready)
        return ready

    if site.options.broker == OWN_KAFKA:
        return ChildPlan(
            BROKER,
            "Kafka",
            launch=_launch_kafka,
            ready=_kafka_ready,
            then=then,
            ready_within_s=60,  # 4 s here, after the first time
            stop_within_s=25,  # its own limit for a broker that does not end is 20
            stop_rank=5,
        )
    if site.options.broker:
        address, log = site.options.broker, site.options.log
        return ChildPlan(
            BROKER, "Kafka", lambda s: (None, replace(s, broker=address, log=log)), lambda s: s, then
        )
    return ChildPlan(
        BROKER,
        "embedded broker",
        launch=partial(_launch_broker, topics=topics),
        ready=_broker_ready,
        stop_within_s=5,
        stop_rank=5,
        if_it_dies="new log",
    )


def _launch_broker(site: Site, topics: Sequence[str]) -> tuple[Child, Site]:
    log = mint_log_id(datetime.now(UTC), secrets.token_hex(2))
    OpenLogs(site).add(log)
    arguments = ["--port-file", str(ready_file(site, BROKER)), "--topics", ",".join(topics)]
    arguments += ["--partitions", str(site.options.partitions)]
    if site.options.broker_control:
        arguments += ["--control-file", str(site.run / "broker.control")]
    return python_child(site, BROKER, "local.broker_server", *arguments), replace(site, log=log)


def _launch_kafka(site: Site) -> tuple[Child, Site]:
    arguments = ("--folder", str(site.lake / "kafka"), "--port-file", str(ready_file(site, BROKER)))
    return python_child(site, BROKER, "local.kafka.server", *arguments), site


def _launch_host(site: Site) -> tuple[Child, Site]:
    port = site.grpc_port or site.options.grpc_port
    if site.options.grpc_port and not site.grpc_port:
        _require_free(port)
    return python_child(site, HOST, "grpc_ingest.server", NEXUS_GRPC_PORT=str(port)), site


def _launch_module(site: Site, name: str, module: str) -> tuple[Child, Site]:
    return python_child(site, name, module), site


def _ready(site: Site, name: str) -> Site | None:
    return site if read_when_written(ready_file(site, name)) else None


def _aws_ready(site: Site) -> Site | None:
    port = read_when_written(ready_file(site, AWS))
    return replace(site, aws_port=int(port)) if port else None


def _host_ready(site: Site) -> Site | None:
    port = read_when_written(ready_file(site, HOST))
    return replace(site, grpc_port=int(port)) if port else None


def _broker_ready(site: Site) -> Site | None:
    address = read_when_written(ready_file(site, BROKER))
    return replace(site, broker=address) if address else None


def _kafka_ready(site: Site) -> Site | None:
    told = read_when_written(ready_file(site, BROKER))
    if told is None:
        return None
    address, log = told.split()
    return replace(site, broker=address, log=log)


def _require_free(port: int) -> None:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        raise RuntimeFault(
            f"Port {port} cannot be used for gRPC ({error.strerror}). "
            "Stop the program that has it, choose another port, or 0 for any free one."
        ) from error
