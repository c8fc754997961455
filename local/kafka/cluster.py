"""Brokers of Apache Kafka in KRaft mode, each broker and controller in one, on loopback and in one folder.

    with Cluster(folder, brokers=3) as cluster:   # formats the folder on first use
        cluster.start()
        ... cluster.bootstrap ...
        cluster.kill(2); cluster.start_node(2)

The folder keeps what was acknowledged: started on it again, also after kill -9, a cluster goes on. Ports are chosen
when the folder is made and kept, so that clients find a broker that comes back; one may be taken by then.
"""

import json
import logging
import os
import secrets
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from lakehouse.errors import RuntimeFault
from local.kafka.jars import find_java, require_jars
from local.lake_store import write_whole
from local.processes import Child, Command, free_port, kill, spawn, stop, wait_ready

# Seen here: 1.5 s alone, 12 s for three at once on two cores; a loaded machine may take ten times that.
START_S = 120.0
FORMAT_S = 120.0
# A controlled shutdown moves leaders away; a lone broker has nowhere to, and ends in a second.
STOP_S = 20.0
# A broker for a laptop: 340 MB resident with this heap; larger ones only if more than about 10,000 partitions.
_JVM = ("-Xmx256m", "-Xms128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData")
_LOGS = ("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true")

_QUIET = logging.getLogger("librdkafka.cluster")
_QUIET.addHandler(logging.NullHandler())
_QUIET.propagate = False


@dataclass(frozen=True)
class Ports:
    """Of one broker: for clients and brokers, for controllers, and for clients that come through the proxy."""

    client: int
    controller: int
    behind_proxy: int
    proxy: int


@dataclass(frozen=True)
class Layout:
    """What is decided once, when the folder is made. `log`: the log id of its topics, since they live here only."""

    cluster_id: str
    log: str
    ports: tuple[Ports, ...]

    @classmethod
    def new(cls, brokers: int) -> Self:
        """Free ports and fresh ids."""
        taken = iter(_free_ports(4 * brokers))
        ports = tuple(Ports(next(taken), next(taken), next(taken), next(taken)) for _ in range(brokers))
        log = f"kafka-{datetime.now(UTC):%Y%m%dt%H%M%S}-{secrets.token_hex(2)}"
        return cls(new_cluster_id(secrets.token_urlsafe), log, ports)

    @classmethod
    def read(cls, text: str) -> Self:
        """As `write` wrote it."""
        told = json.loads(text)
        return cls(told["cluster_id"], told["log"], tuple(Ports(**ports) for ports in told["ports"]))

    def write(self) -> str:
        """JSON."""
        return json.dumps(asdict(self), indent=1)


class Cluster:
    """`brokers` counts only when the folder is new. Spawns from the main thread only. Closing stops all."""

    def __init__(self, folder: Path, brokers: int = 1, settings: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self._java, self._jars = find_java(), require_jars()
        self._settings = dict(settings or {})
        self._children: dict[int, Child] = {}
        self.layout = self._open(brokers)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def nodes(self) -> range:
        """Ids of the brokers, from 1."""
        return range(1, len(self.layout.ports) + 1)

    @property
    def bootstrap(self) -> str:
        """All brokers as clients name them."""
        return ",".join(f"127.0.0.1:{ports.client}" for ports in self.layout.ports)

    @property
    def bootstrap_by_proxy(self) -> str:
        """All brokers as clients behind the proxies name them (`local.kafka.proxy`)."""
        return ",".join(f"127.0.0.1:{ports.proxy}" for ports in self.layout.ports)

    def start(self) -> None:
        """Starts every broker that does not run, and waits until each knows all the others."""
        for node in self.nodes:
            if not self.runs(node):
                self._launch(node)
        for node in self.nodes:
            self._wait(node, others=len(self.nodes))

    def start_node(self, node: int) -> None:
        """Starts one broker and waits until it and those that run know each other."""
        self._launch(node)
        self._wait(node, others=sum(map(self.runs, self.nodes)))

    def runs(self, node: int) -> bool:
        """Whether its process is there."""
        child = self._children.get(node)
        return child is not None and child.exit_code() is None

    def child(self, node: int) -> Child:
        """The broker's process, running or ended."""
        return self._children[node]

    def kill(self, node: int) -> None:
        """kill -9."""
        kill(self._children[node])

    def pause(self, node: int) -> None:
        """It lives and does nothing: SIGSTOP."""
        self._children[node].process.send_signal(signal.SIGSTOP)

    def resume(self, node: int) -> None:
        """SIGCONT."""
        self._children[node].process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """Ends every broker, orderly where it can be."""
        for child in self._children.values():
            if child.exit_code() is None:
                child.process.send_signal(signal.SIGCONT)
                child.process.send_signal(signal.SIGTERM)
        for child in self._children.values():
            stop(child, signal.SIGTERM, STOP_S)

    def _open(self, brokers: int) -> Layout:
        known = self.folder / "cluster.json"
        if known.exists():
            return Layout.read(known.read_text("utf-8"))
        layout = Layout.new(brokers)
        self.folder.mkdir(parents=True, exist_ok=True)
        for node in range(1, brokers + 1):
            self._write_properties(layout, node)
            self._format(layout, node)
        write_whole(known, layout.write())  # last: a folder that was not made whole is made again
        return layout

    def _format(self, layout: Layout, node: int) -> None:
        tool = ("kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", layout.cluster_id, "-c")
        done = subprocess.run(
            self._java_command(*tool, str(self._properties(node))),
            env={"PATH": os.defpath},
            capture_output=True,
            text=True,
            check=False,
            timeout=FORMAT_S,
        )
        if done.returncode:
            raise RuntimeFault(
                f"Kafka could not prepare {self.folder}: {(done.stdout + done.stderr)[-1000:]}"
            )

    def _launch(self, node: int) -> None:
        self._write_properties(self.layout, node)
        ports = self.layout.ports[node - 1]
        for port in (ports.client, ports.controller, ports.behind_proxy):
            _require_free(port, self.folder)
        argv = self._java_command("kafka.Kafka", str(self._properties(node)))
        # When the starting process dies, brokers end in order: their data outlives them either way.
        command = Command(f"kafka-{node}", argv, {"PATH": os.defpath}, self.folder, signal.SIGTERM)
        self._children[node] = spawn(command, self.folder / "logs")

    def _wait(self, node: int, others: int) -> None:
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        port = self.layout.ports[node - 1].client
        admin: AdminClient | None = None

        def knows_all() -> bool | None:
            nonlocal admin
            try:
                socket.create_connection(("127.0.0.1", port), 1.0).close()
                # made only now: a client that is refused repeats itself in the log
                admin = admin or AdminClient({"bootstrap.servers": f"127.0.0.1:{port}"}, logger=_QUIET)
                return True if len(admin.list_topics(timeout=1.0).brokers) >= others else None
            except (OSError, KafkaException):
                return None

        wait_ready(self._children[node], knows_all, START_S)

    def _java_command(self, *arguments: str) -> tuple[str, ...]:
        return (self._java, *_JVM, *_LOGS, "-cp", f"{self._jars}/*", *arguments)

    def _properties(self, node: int) -> Path:
        return self.folder / f"broker-{node}.properties"

    def _write_properties(self, layout: Layout, node: int) -> None:
        settings = {**broker_settings(layout, node, self.folder / f"data-{node}"), **self._settings}
        text = "".join(f"{name}={value}\n" for name, value in settings.items())
        self._properties(node).write_text(text, "utf-8")


def new_cluster_id(draw: Callable[[int], str]) -> str:
    """16 random bytes as Kafka writes them; `draw` is `secrets.token_urlsafe`.

    Kafka draws again as well when one begins with a dash: its tools would take it for an option.
    """
    while (drawn := draw(16)[:22]).startswith("-"):
        pass
    return drawn


def broker_settings(layout: Layout, node: int, data: Path) -> Mapping[str, str]:
    """What a broker is told. As on MSK: nothing acknowledged is lost with one of three brokers."""
    count = len(layout.ports)
    ports = layout.ports[node - 1]
    voters = ",".join(f"{n}@127.0.0.1:{p.controller}" for n, p in enumerate(layout.ports, 1))
    local = "127.0.0.1"
    return {
        "process.roles": "broker,controller",
        "node.id": str(node),
        "controller.quorum.voters": voters,
        "listeners": f"CLIENT://{local}:{ports.client},PROXIED://{local}:{ports.behind_proxy},"
        f"CONTROLLER://{local}:{ports.controller}",
        "advertised.listeners": f"CLIENT://{local}:{ports.client},PROXIED://{local}:{ports.proxy}",
        "listener.security.protocol.map": "CLIENT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "CLIENT",
        "log.dirs": str(data),
        "default.replication.factor": str(count),
        "min.insync.replicas": "2" if count >= 3 else "1",
        "unclean.leader.election.enable": "false",
        "auto.create.topics.enable": "false",
        "log.message.timestamp.type": "LogAppendTime",
        "offsets.topic.replication.factor": str(min(3, count)),
        "offsets.topic.num.partitions": "4",  # 50 are for clusters; each is a folder and a minute of start at worst
        "transaction.state.log.replication.factor": str(min(3, count)),
        "transaction.state.log.min.isr": "2" if count >= 3 else "1",
        "group.initial.rebalance.delay.ms": "0",
        "log.cleaner.dedupe.buffer.size": "4194304",
        "log.index.size.max.bytes": "1048576",  # 10 MB, allocated for each partition, are for large ones
        "num.recovery.threads.per.data.dir": "2",
        # a lone laptop's broker must notice a dead peer in seconds, not in its default of 18
        "broker.session.timeout.ms": "6000",
        "broker.heartbeat.interval.ms": "1000",
        "controller.quorum.election.timeout.ms": "500",
        "controller.quorum.fetch.timeout.ms": "1000",
    }


def _free_ports(count: int) -> list[int]:
    """Different ones."""
    found: set[int] = set()
    while len(found) < count:
        found.add(free_port())
    return sorted(found)


def _require_free(port: int, folder: Path) -> None:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        raise RuntimeFault(
            f"Port {port}, which the Kafka in {folder} has used so far, cannot be used ({error.strerror}). "
            "Stop the program that has it: clients know the broker by this port."
        ) from error
