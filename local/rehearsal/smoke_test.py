"""`make smoke`, rehearsed: its command as it is, the deployed canary, hosts and check function, a broker of ours."""

import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack

from lakehouse.catalog import load_entities
from lambdas.canary import flight
from lambdas.canary.checks import State
from local.processes import Child, ChildFailed, Command, read_when_written, spawn, stop, wait_ready
from local.rehearsal.cdk_command import ROOT, aws_surroundings
from local.rehearsal.findings import NotAsPromised, require
from local.rehearsal.hosts import Host, Started, find_host, start_host
from local.rehearsal.invocations import change_environment
from local.rehearsal.life import Mapped
from local.rehearsal.scene import Scene

# What `make smoke` must say of an environment that is well. What only an account can answer is not checked.
WELL: Mapping[str, State] = {
    flight.SENT: "ok",
    flight.CHECKED: "ok",
    flight.JUDGED: "ok",
    flight.SCHEMAS: "ok",
    flight.CONNECTOR: "not checked",
    flight.ALARMS: "ok",
    "certificate": "not checked",
    "topics lose nothing": "ok",
    "Bronze refuses overwriting": "not checked",
    "ledger is private": "ok",
    "analysts' workgroup": "ok",
    "alarms reach somebody": "not checked",
}
# Deployed are minutes: an object is landed when it is large or that old. Nobody waits for that here.
_FLUSH_S, _PATIENCE_S = 2, 60
# All that differs from the canary's deployed environment, beside the ledger's address; docs/rehearsal.md says why
CHANGED = ("NEXUS_INGEST_ADDRESS", "NEXUS_INGEST_NAME", "NEXUS_CANARY_PATIENCE_S")
_TLS = 443
_READY_S = 60.0
_STOP_S = 30.0  # a host that drains has 17 s
_LOOK_EVERY_S = 0.2
_LOOKS = 900  # three minutes and the time of the checks: smoke took 12 s when this was written
_LINE = re.compile(r"(\S.*?) {2,}(ok|failed|not checked) +[\d.]+  (.+)")


class SmokeTest:
    """In this order; each step says what it saw, or raises NexusError. What it starts is stopped by `ends`."""

    def __init__(self, scene: Scene, ends: ExitStack) -> None:
        self._scene, self._ends = scene, ends
        self._hosts: list[Started] = []

    def start(self) -> str:
        """A broker in place of MSK, one ingest host, one writer, and the poller of the check function."""
        scene, names = self._scene, self._scene.names
        ingest, writer = find_host(scene, names.ingest_hosts), find_host(scene, names.writer_hosts)
        for host in (ingest, writer):
            self._require_kafka(host)
        topics, partitions, broker = self._start_broker()
        kafka = {"NEXUS_BROKER": broker, "NEXUS_KAFKA_AUTH": "none"}
        port_of_host = scene.folder / "ingest.port"
        here = {"NEXUS_GRPC_HOST": "127.0.0.1", "NEXUS_GRPC_PORT": "0", "NEXUS_READY_FILE": str(port_of_host)}
        started = self._begin(ingest, {**kafka, **here})
        self._begin(writer, {**kafka, "NEXUS_FLUSH_SECONDS": str(_FLUSH_S)})
        for one in self._hosts:
            one.wait()
        port = wait_ready(started.child, lambda: read_when_written(port_of_host), _READY_S)
        self._point_canary(f"127.0.0.1:{port}")
        self._mapped = Mapped.of(scene)
        check = scene.function(names.function("check_rows"), names.check_alias)
        self._check = self._ends.enter_context(scene.start(check))
        return f"ingest and writer are ready, by their artifacts' code; {topics} topics of {partitions} partitions"

    def _begin(self, host: Host, changes: Mapping[str, str]) -> Started:
        started = start_host(self._scene, host, changes)
        self._ends.callback(stop, started.child, signal.SIGTERM, _STOP_S)
        self._hosts.append(started)
        return started

    def _require_kafka(self, host: Host) -> None:
        """What is changed here must have been right."""
        [entry] = self._scene.of_type("AWS::MSK::Cluster")
        brokers = self._scene.client("kafka").get_bootstrap_brokers(ClusterArn=entry.physical_id)
        wanted = {"NEXUS_BROKER": brokers["BootstrapBrokerStringSaslIam"], "NEXUS_KAFKA_AUTH": "iam"}
        found = {name: host.environment.get(name) for name in wanted}
        require(found == wanted, f"{host.service} would go to {found}, not to {wanted}")

    def _start_broker(self) -> tuple[int, int, str]:
        """Its topics are those that were deployed; how many, their partitions, and its address."""
        scene = self._scene
        [entry] = scene.of_type("AWS::MSK::Cluster")
        found = scene.client("kafka").list_topics(ClusterArn=entry.physical_id)["Topics"]
        names = sorted(topic["TopicName"] for topic in found)
        require(names == sorted(e.topic for e in load_entities().values()), f"the topics are {names}")
        [partitions] = {topic["PartitionCount"] for topic in found}
        port_file = scene.folder / "broker.port"
        given = ("--port-file", str(port_file), "--topics", ",".join(names), "--partitions", str(partitions))
        command = (sys.executable, "-m", "local.broker_server", *given)
        broker = spawn(Command("broker", command, {"PATH": "/usr/bin:/bin"}, ROOT), scene.folder / "logs")
        self._ends.callback(stop, broker, signal.SIGTERM, _STOP_S)
        return len(names), partitions, wait_ready(broker, lambda: read_when_written(port_file), _READY_S)

    def _point_canary(self, address: str) -> None:
        """To the host itself: there is no balancer, and no TLS."""
        scene = self._scene
        canary = scene.function(scene.names.function("canary"))
        [entry] = scene.of_type("AWS::ElasticLoadBalancingV2::LoadBalancer")
        elb = scene.client("elbv2")
        [balancer] = elb.describe_load_balancers(LoadBalancerArns=[entry.physical_id])["LoadBalancers"]
        wanted = {
            "NEXUS_INGEST_ADDRESS": f"{balancer['DNSName']}:{_TLS}",
            "NEXUS_INGEST_NAME": scene.settings.ingest.domain,
        }
        found = {name: canary.environment.get(name) for name in wanted}
        require(found == wanted, f"the canary would go to {found}, not to {wanted}")
        changes = dict(zip(CHANGED, (address, "none", str(_PATIENCE_S)), strict=True))
        change_environment(scene.folder, canary.name, {**changes, **scene.ledger_here(canary)})

    def well(self) -> str:
        """Every line must be as in WELL."""
        code, found = self._smoke("smoke")
        states = {name: state for name, (state, _) in found.items()}
        wrong = {
            name: found.get(name)
            for name in WELL.keys() | states.keys()
            if states.get(name) != WELL.get(name)
        }
        require(not wrong, f"smoke says {wrong}")
        require(code == 0, f"make smoke ends with {code}, and nothing failed")
        told = "; ".join(f"{name}: {found[name][1]}" for name in (flight.SENT, flight.CHECKED, flight.JUDGED))
        unchecked = [name for name, state in states.items() if state == "not checked"]
        return f"{told}. Not checked there: {', '.join(unchecked)}"

    def alarmed(self) -> str:
        """One alarm fires: that line alone must fail, and the command with it."""
        cloudwatch, name = self._scene.client("cloudwatch"), self._an_alarm()
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="rehearsed")
        code, found = self._smoke("smoke-alarmed")
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="rehearsed")
        failed = {line: detail for line, (state, detail) in found.items() if state == "failed"}
        require(list(failed) == [flight.ALARMS], f"smoke says {failed}, not that {name} fires")
        require(name in failed[flight.ALARMS], f"smoke says {failed}, and does not name {name}")
        require(code == 1, f"make smoke ends with {code} although an alarm fires")
        return f"{failed[flight.ALARMS].split(';')[0]}; all else as before, and it ends with 1"

    def _an_alarm(self) -> str:
        prefix = self._scene.names.of("")
        made = {e.physical_id for e in self._scene.of_type("AWS::CloudWatch::Alarm")}
        return min(name for name in made if not name.startswith(f"{prefix}canary-"))

    def drain(self) -> str:
        """Ended as systemd ends them, both must say that nothing is left: the writer last, for it lands what came."""
        for one in self._hosts:
            stop(one.child, signal.SIGTERM, _STOP_S)
            code = one.child.exit_code()
            if code:
                raise ChildFailed(one.child, f"ended with {code} at SIGTERM, not with 0")
        return "both ended with 0 at SIGTERM"

    def _smoke(self, log: str) -> tuple[int, dict[str, tuple[str, str]]]:
        """Exit code and lines of `make smoke`; meanwhile what is queued is checked, as Lambda's poller has it."""
        scene, settings = self._scene, self._scene.settings
        account = ("--account", settings.account)
        surroundings = aws_surroundings(scene.endpoint, settings.region, scene.folder)
        command = (sys.executable, "-m", "local.smoke", settings.environment, *account)
        environment = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", **surroundings}
        smoke = spawn(Command(log, command, environment, ROOT), scene.folder / "logs")
        try:
            for _ in range(_LOOKS):
                _, failed = self._mapped.run(self._check)
                require(not failed, f"the check function fails: {failed}")
                self._require_hosts()
                if _ended(smoke):
                    break
            else:
                raise ChildFailed(smoke, "has not ended")
        finally:
            stop(smoke, signal.SIGTERM, _STOP_S)
        code, said = smoke.process.returncode, smoke.log.read_text("utf-8")
        found = lines(said)
        if not found:
            raise NotAsPromised(f"make smoke ended with {code}, without a table:\n{said}")
        return code, found

    def _require_hosts(self) -> None:
        for one in self._hosts:
            if one.child.exit_code() is not None:
                raise ChildFailed(one.child, f"has ended with {one.child.exit_code()}")


def _ended(child: Child) -> bool:
    try:
        child.process.wait(_LOOK_EVERY_S)
    except subprocess.TimeoutExpired:
        return False
    return True


def lines(table: str) -> dict[str, tuple[str, str]]:
    """State and found words of each check of `make smoke`'s table; lines that go on belong to the one before."""
    found: dict[str, tuple[str, str]] = {}
    last = ""
    for line in table.splitlines():
        if match := _LINE.fullmatch(line):
            last = match.group(1)
            found[last] = (match.group(2), match.group(3))
        elif last and line.startswith(" "):
            state, detail = found[last]
            found[last] = (state, f"{detail} {line.strip()}")
    return found
