"""Kafka → Bronze with real writers: killed, stopped, doubled and starved, every offset is in exactly one object."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bronze_writer.assignment import CommitNote
from bronze_writer.landing import EXPIRED
from lakehouse.errors import BrokerError, LakeError
from lakehouse.paths import schema_definition_key
from local.mock_cluster import MockCluster
from tests.fakes.object_store import StoreThatIsAway
from tests.flow.writer_rig import ENTITIES, TOPIC, Rig, wait_for

OFFSET_COMMIT = 8
REBALANCE_IN_PROGRESS = 27
STRUCK = "tests.flow.struck_writer"


@pytest.fixture
def rig(tmp_path: Path, aws_endpoint: str) -> Iterator[Rig]:
    with MockCluster(lambda level, text: None) as kafka:
        made = Rig(tmp_path, aws_endpoint, kafka)
        yield made
        made.close()


def test_writer_lands_everything_and_commits_behind_it(rig: Rig) -> None:
    garbage = [None, b"", b"garbage", rig.a_value(1)[:-1], b"\x03\x00" + bytes(17) + b"x"]
    writer = rig.start().when_ready()
    rig.send([*map(rig.a_value, range(2000)), *garbage, *map(rig.a_value, range(2000, 2100))])
    wait_for("the first flush", lambda: bool(rig.committed()))
    rig.send(garbage, topic="orders.v1", partitions=1)
    assert writer.stop() == 0, writer.log
    landed = rig.assert_exact()
    rows = [row for objects in landed.values() for found in objects for row in found.rows]
    raw = [row for row in rows if row["raw_reason"] is not None]
    assert len(raw) == 2 * len(garbage)
    assert sorted(row["event_id"] for row in rows if row["raw_reason"] is None) == sorted(
        f"e-{n}" for n in range(2100)
    )
    assert rig.committed() == {p: len(rig.sent[TOPIC, p]) for p in range(4)}
    kept = rig.store.get(rig.bucket, schema_definition_key(rig.schema_id))
    assert kept.decode() == ENTITIES["payments"].definition


def test_idle_writer_makes_no_objects_and_second_run_changes_nothing(rig: Rig) -> None:
    rig.send(map(rig.a_value, range(40)))
    assert rig.start("--until-caught-up").wait() == 0
    before = {stored.key: stored.etag for stored in rig.store.keys(rig.bucket, "")}
    assert rig.start("--until-caught-up").wait() == 0
    assert {stored.key: stored.etag for stored in rig.store.keys(rig.bucket, "")} == before
    rig.assert_exact()


def test_writer_killed_between_object_and_commit_goes_on_behind_it(rig: Rig) -> None:
    rig.send(map(rig.a_value, range(4000)))
    dying = rig.start("after", "2", "KILL", module=STRUCK)
    assert dying.wait() == -signal.SIGKILL, dying.log
    safe = {place: objects[-1].metadata.end_offset for place, objects in rig.landed().items()}
    assert any(rig.committed().get(p, 0) < end for (_, p), end in safe.items()), (
        "nothing was left uncommitted"
    )
    rig.send(map(rig.a_value, range(4000, 5000)))
    next_writer = rig.start("--until-caught-up")
    assert next_writer.wait() == 0, next_writer.log
    rig.assert_exact()
    assert rig.committed() == {p: len(rig.sent[TOPIC, p]) for p in range(4)}


def test_writer_killed_again_and_again_under_load_loses_and_doubles_nothing(rig: Rig) -> None:
    for turn in range(2):
        writer = rig.start().when_ready()
        objects = len(list(rig.store.keys(rig.bucket, "payments/year=")))
        rig.send(map(rig.a_value, range(turn * 3000, (turn + 1) * 3000)))
        wait_for("an object", lambda n=objects: len(list(rig.store.keys(rig.bucket, "payments/year="))) > n)
        writer.kill()
    last = rig.start("--until-caught-up")
    assert last.wait() == 0, last.log
    rig.assert_exact()


def test_writer_stopped_before_its_write_wakes_up_as_a_zombie_and_does_no_harm(rig: Rig) -> None:
    rig.send(map(rig.a_value, range(400)))
    zombie = rig.start("before", "1", "STOP", module=STRUCK)
    wait_for("the stop", lambda: psutil.Process(zombie.process.pid).status() == psutil.STATUS_STOPPED)
    rival = rig.start().when_ready()  # once the zombie's session has timed out
    rig.send(map(rig.a_value, range(400, 900)))
    wait_for("the rival's objects", lambda: sum(rig.committed().values()) == 900)
    before = {stored.key: stored.etag for stored in rig.store.keys(rig.bucket, "payments/")}
    zombie.process.send_signal(signal.SIGCONT)
    rig.send(map(rig.a_value, range(900, 1300)))
    wait_for("everything", lambda: sum(rig.committed().values()) == 1300)
    after = {stored.key: stored.etag for stored in rig.store.keys(rig.bucket, "payments/")}
    assert after | before == after, "an object was changed"
    assert zombie.stop() == 0, zombie.log
    assert rival.stop() == 0, rival.log
    rig.assert_exact()


def test_two_writers_share_the_partitions(rig: Rig) -> None:
    first = rig.start().when_ready()
    rig.send(map(rig.a_value, range(1000)))
    second = rig.start().when_ready()
    rig.send(map(rig.a_value, range(1000, 2000)))
    wait_for("both", lambda: sum(rig.committed().values()) == 2000)
    assert first.stop() == 0, first.log
    rig.send(map(rig.a_value, range(2000, 2500)))
    wait_for("all by the one that is left", lambda: sum(rig.committed().values()) == 2500)
    assert second.stop() == 0, second.log
    rig.assert_exact()


def test_store_away_stops_reading_and_loses_nothing(rig: Rig) -> None:
    store = StoreThatIsAway()
    writer = rig.start_thread(store)
    rig.send(map(rig.a_value, range(400)))
    wait_for("the first objects", lambda: sum(rig.committed().values()) == 400)
    store.away = True
    rig.send(map(rig.a_value, range(400, 9000)))
    failures = store.failures
    wait_for("attempts", lambda: store.failures < failures - 8)
    assert sum(rig.committed().values()) == 400
    store.away = False
    wait_for("everything", lambda: sum(rig.committed().values()) == 9000)
    writer.stop()
    assert writer.failure is None
    rig.assert_exact(store)


def test_store_that_stays_away_stops_the_writer_with_the_remedy(rig: Rig) -> None:
    store = StoreThatIsAway()
    writer = rig.start_thread(store, NEXUS_PATIENCE_SECONDS="1")
    rig.send(map(rig.a_value, range(40)))
    wait_for("the first objects", lambda: sum(rig.committed().values()) == 40)
    store.away = True
    rig.send(map(rig.a_value, range(40, 80)))
    wait_for("the end", lambda: writer.failure is not None)
    writer.stop()
    assert isinstance(writer.failure, LakeError)
    assert "Nothing is lost" in str(writer.failure)
    assert sum(rig.committed().values()) == 40


def test_retention_that_passed_the_landing_is_noted_as_expired(rig: Rig) -> None:
    """The embedded broker keeps 5 MB per partition and drops the oldest."""
    big = [bytes([n % 256]) * 100_000 for n in range(80)]
    rig.send(big, partitions=1)
    store = StoreThatIsAway()
    writer = rig.start_thread(store, NEXUS_FLUSH_BYTES="300000")
    wait_for("all of what is left", lambda: rig.committed().get(0) == 80)
    store.away = True
    rig.send(big * 2, partitions=1)
    store.away = False
    wait_for("all of what is left again", lambda: rig.committed().get(0) == 240)
    writer.stop()
    assert writer.failure is None
    objects = rig.landed(store)[TOPIC, 0]
    voids = [o.metadata for o in objects if o.metadata.previous_end < o.metadata.first_offset]
    assert voids[0].previous_end == 0
    assert voids[-1].previous_end >= 80
    end = 0
    for found in objects:
        assert found.metadata.previous_end == end
        assert found.metadata.void_reason == (EXPIRED if found.metadata in voids else "")
        end = found.metadata.end_offset
    assert end == 240


def test_topics_made_anew_under_the_same_log_are_refused(rig: Rig, tmp_path: Path, aws_endpoint: str) -> None:
    rig.send(map(rig.a_value, range(40)))
    assert rig.start("--until-caught-up").wait() == 0
    before = {stored.key: stored.etag for stored in rig.store.keys(rig.bucket, "")}
    with MockCluster(lambda level, text: None) as anew:
        rig.kafka = anew
        rig.make_topics()
        behind = rig.start()
        assert behind.wait() == 3
        assert "ends at offset 0, landed was up to 10" in behind.log
        assert "NEXUS_LOG" in behind.log
        rig.send(map(rig.a_value, range(80)))
        other_times = rig.start()
        assert other_times.wait() == 3
        assert "has broker time" in other_times.log
        assert {stored.key: stored.etag for stored in rig.store.keys(rig.bucket, "")} == before
        rig.log = "log-2"
        assert rig.start("--until-caught-up").wait() == 0
    logs = {o.metadata.log for objects in rig.landed().values() for o in objects}
    assert logs == {"log-1", "log-2"}


def test_broker_away_for_a_while_is_waited_for(rig: Rig) -> None:
    writer = rig.start().when_ready()
    rig.send(map(rig.a_value, range(400)))
    rig.kafka.go_down()
    time.sleep(1)  # long enough for every connection to notice
    rig.kafka.come_up()
    rig.send(map(rig.a_value, range(400, 800)))
    wait_for("everything", lambda: sum(rig.committed().values()) == 800)
    assert writer.stop() == 0, writer.log
    rig.assert_exact()


def test_broker_gone_while_draining_leaves_what_was_read_landed(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bronze_writer.stream._ENDS_S", 2)
    monkeypatch.setattr("bronze_writer.consumer._ANSWER_S", 1)
    store = StoreThatIsAway()
    writer = rig.start_thread(store)
    rig.send(map(rig.a_value, range(40)))
    wait_for("the first objects", lambda: sum(rig.committed().values()) == 40)
    store.away = True
    failures = store.failures
    rig.send(map(rig.a_value, range(40, 80)))
    wait_for("attempts to land the rest", lambda: store.failures < failures - 4)
    rig.kafka.go_down()
    store.away = False
    writer.stop()
    assert isinstance(writer.failure, BrokerError)
    assert "landed by the next writer" in str(writer.failure)
    rig.assert_exact(store)


def test_refused_commit_is_sent_again(rig: Rig) -> None:
    writer = rig.start().when_ready()
    rig.kafka.fail_next(OFFSET_COMMIT, [REBALANCE_IN_PROGRESS] * 3)
    rig.send(map(rig.a_value, range(40)))
    wait_for("everything", lambda: sum(rig.committed().values()) == 40)
    assert writer.stop() == 0, writer.log
    assert "commit failed" in writer.log


def test_commit_names_the_object_it_stands_behind() -> None:
    key = "orders/year=2026/month=01/day=02/log-1+3+00000000000000000007.parquet"
    for text in (f"broker-clock {key}", f"producer-clock {key}"):
        note = CommitNote.parse(text)
        assert note is not None
        assert (str(note), note.broker_clock) == (text, text.startswith("broker"))
    for foreign in ("", "x", key, f"clock {key}", "broker-clock x"):
        assert CommitNote.parse(foreign) is None


def test_drain_without_kafka_says_so(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bronze_writer.consumer._PATIENCE_S", 0.5)
    writer = rig.start_thread(StoreThatIsAway(), NEXUS_BROKER="127.0.0.1:1")
    writer.stop()
    assert isinstance(writer.failure, BrokerError)
