"""The first script of a host, run for real in a folder: it installs what was built and says ready only when it is."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from local.host_artifact import archive
from stacks.user_data import LONGEST, HostFacts, render
from tests.fakes.instance import INSTANCE, KEYS, Instance, an_instance

ARTIFACT = archive({"app/grpc_ingest/server/__main__.py": b"pass\n", "site/grpc/__init__.py": b"pass\n"})
SHA256 = hashlib.sha256(ARTIFACT).hexdigest()


def facts_of(instance: Instance, **changes: object) -> HostFacts:
    facts = HostFacts(
        service="ingest",
        module="grpc_ingest.server",
        region="eu-west-3",
        stack="nexus-dev-ingest",
        group="IngestHosts",
        bucket="assets",
        key="abc.gz",
        sha256=SHA256,
        health_port=instance.ports["service"],
        ready_within_s=30,
        settle_s=0,
        stop_s=30,
        stays_down=(2, 3),
        environment={"NEXUS_BROKER": "b-1:9098,b-2:9098", "NEXUS_LOG": "dev-1"},
        files={"agent.json": '{"a": "$HOME `id`"}'},
    )
    return replace(facts, **changes)  # type: ignore[arg-type]


def unit_of(instance: Instance) -> dict[str, list[str]]:
    """Lines of the unit by key."""
    found: dict[str, list[str]] = {}
    for line in (instance.root / "etc/systemd/system/nexus-ingest.service").read_text("utf-8").splitlines():
        key, sign, value = line.partition("=")
        if sign:
            found.setdefault(key, []).append(value)
    return found


def test_host_that_gets_ready_installs_the_artifact_and_signals_success(tmp_path: Path) -> None:
    with an_instance(tmp_path, objects={"abc.gz": ARTIFACT}) as instance:
        done = instance.run(render(facts_of(instance)))
        assert done.returncode == 0, done.stderr
        assert instance.problems == []
        assert instance.asked == 3, "twice it was not ready"
        [signal] = instance.signals
        assert signal == {
            "Action": "SignalResource",
            "Version": "2010-05-15",
            "StackName": "nexus-dev-ingest",
            "LogicalResourceId": "IngestHosts",
            "UniqueId": INSTANCE,
            "Status": "SUCCESS",
        }
        assert instance.calls("systemctl") == ["daemon-reload", "enable --now nexus-ingest"]
        assert instance.calls("shutdown") == []
        home = tmp_path / "opt/nexus" / SHA256
        assert (home / "app/grpc_ingest/server/__main__.py").read_text() == "pass\n"


def test_unit_runs_the_module_with_its_libraries_and_settings(tmp_path: Path) -> None:
    with an_instance(tmp_path, objects={"abc.gz": ARTIFACT}) as instance:
        instance.run(render(facts_of(instance)))
        unit = unit_of(instance)
        home = f"/opt/nexus/{SHA256}"
        assert unit["ExecStart"] == ["/usr/bin/python3 -m grpc_ingest.server"]
        assert unit["Environment"][0].startswith(f"PYTHONPATH={home}/app:{home}/site ")
        assert unit["EnvironmentFile"] == ["/etc/nexus/service.env"]
        assert unit["Restart"] == ["always"]
        assert unit["RestartPreventExitStatus"] == ["2 3"]
        assert unit["TimeoutStopSec"] == ["30"]
        assert unit["DynamicUser"] == ["yes"], "not root"
        assert unit["WantedBy"] == ["multi-user.target"], "it comes back after a reboot"
        written = (tmp_path / "etc/nexus/service.env").read_text("utf-8").splitlines()
        assert written == ["NEXUS_BROKER=b-1:9098,b-2:9098", "NEXUS_LOG=dev-1"]


def test_files_are_written_as_they_are(tmp_path: Path) -> None:
    with an_instance(tmp_path, objects={"abc.gz": ARTIFACT}) as instance:
        instance.run(render(facts_of(instance)))
        assert (tmp_path / "etc/nexus/agent.json").read_text("utf-8") == '{"a": "$HOME `id`"}\n'


def test_host_that_never_gets_ready_signals_failure_and_goes(tmp_path: Path) -> None:
    with an_instance(tmp_path, objects={"abc.gz": ARTIFACT}, ready_after=None) as instance:
        done = instance.run(render(facts_of(instance, ready_within_s=1)))
        assert done.returncode != 0
        assert "not ready within 1 s" in done.stderr
        assert [signal["Status"] for signal in instance.signals] == ["FAILURE"]
        assert len(instance.calls("shutdown")) == 1


def test_artifact_that_is_another_is_not_installed(tmp_path: Path) -> None:
    with an_instance(tmp_path, objects={"abc.gz": ARTIFACT + b"x"}) as instance:
        done = instance.run(render(facts_of(instance)))
        assert done.returncode != 0
        assert [signal["Status"] for signal in instance.signals] == ["FAILURE"]
        assert instance.calls("systemctl") == []
        assert not (tmp_path / "opt").exists()


def test_artifact_that_is_not_there_signals_failure_at_once(tmp_path: Path) -> None:
    with an_instance(tmp_path) as instance:
        done = instance.run(render(facts_of(instance)))
        assert done.returncode != 0
        assert [signal["Status"] for signal in instance.signals] == ["FAILURE"]


def test_role_that_is_not_known_yet_is_tried_again(tmp_path: Path) -> None:
    with an_instance(tmp_path, objects={"abc.gz": ARTIFACT}, refuse_first=2) as instance:
        assert instance.run(render(facts_of(instance))).returncode == 0
        assert [signal["Status"] for signal in instance.signals] == ["SUCCESS"]


def test_host_is_ready_though_nobody_waits_for_its_signal(tmp_path: Path) -> None:
    with an_instance(tmp_path, objects={"abc.gz": ARTIFACT}, takes_signals=False) as instance:
        assert instance.run(render(facts_of(instance))).returncode == 0
        assert instance.calls("shutdown") == []


def test_keys_of_the_role_are_on_no_command_line(tmp_path: Path) -> None:
    with an_instance(tmp_path, objects={"abc.gz": ARTIFACT}) as instance:
        instance.run(render(facts_of(instance)))
        called = "\n".join(instance.calls("curl"))
    assert "--aws-sigv4" in called
    for secret in KEYS.values():
        assert secret not in called


def render_plain() -> str:
    """With references as CloudFormation's templates have them."""
    return render(
        HostFacts("writer", "bronze_writer", "r", "s", "g", "b", "k", "0" * 64, 8081, 480, 0, 90, (), {}, {})
    )


def test_script_fits_into_what_ec2_takes() -> None:
    assert len(render_plain()) < LONGEST / 2
    with pytest.raises(ValueError, match="16 KB"):
        render(
            HostFacts(
                "w", "m", "r", "s", "g", "b", "k", "0" * 64, 1, 1, 0, 1, (), {"NEXUS_X": "x" * LONGEST}, {}
            )
        )
