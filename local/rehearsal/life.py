"""Events travel through what was deployed: Bronze, its announcements, the queue, the check function, the ledger."""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pyarrow.parquet as pq

from adapters.ledger import Ledger, reports
from adapters.registry import SchemaRegistry
from lakehouse.balance import Balance
from lakehouse.identity import hash_sum
from lakehouse.paths import edits_prefix
from local.check_runner import sqs_record
from local.rehearsal.deployed import Running
from local.rehearsal.findings import require
from local.rehearsal.inbound import MENDED, Sent, land_stream, load_shop
from local.rehearsal.scene import Scene

_MOST = 10  # that SQS hands out in one call
# The sweep leaves objects alone that are younger than five minutes; nobody waits for that here
AT_ONCE = {"NEXUS_SWEEP_MINIMUM_AGE_S": "0"}
_POSITION = ("pos_log", "pos_topic", "pos_partition", "pos_offset")
_NONSENSE = "no announcement of anybody's"


@dataclass
class Mapped:
    """The deployed way from the queue to the function: what Lambda's poller does, done here."""

    sqs: Any
    url: str
    batch: int
    attempts: int

    @classmethod
    def of(cls, scene: Scene) -> "Mapped":
        """As the event source mapping says. NotAsPromised when it is not what partial answers need."""
        functions, [entry] = scene.client("lambda"), scene.of_type("AWS::Lambda::EventSourceMapping")
        mapping = functions.get_event_source_mapping(UUID=entry.physical_id)
        name, alias = scene.names.function("check_rows"), scene.names.check_alias
        # moto tells the version that the alias names, AWS the alias
        version = functions.get_alias(FunctionName=name, Name=alias)["FunctionVersion"]
        fed = mapping["FunctionArn"]
        require(
            fed.endswith((f":{name}:{alias}", f":{name}:{version}")),
            f"the queue feeds {fed}, not {name}:{alias}",
        )
        require(mapping["State"] == "Enabled", f"the queue's mapping is {mapping['State']}")
        answers = mapping.get("FunctionResponseTypes")
        require(answers == ["ReportBatchItemFailures"], f"partial answers would not be read: {answers}")
        sqs = scene.client("sqs")
        url = sqs.get_queue_url(QueueName=mapping["EventSourceArn"].split(":")[-1])["QueueUrl"]
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"])["Attributes"]
        return cls(sqs, url, mapping["BatchSize"], int(json.loads(found["RedrivePolicy"])["maxReceiveCount"]))

    def run(self, function: Running) -> tuple[int, list[Mapping[str, Any]]]:
        """Until the queue gives nothing more: how many messages were done, and those that failed."""
        done, failed = 0, []
        while messages := self._receive():
            answer = function.call({"Records": [sqs_record(message) for message in messages]})
            refused = {item["itemIdentifier"] for item in answer["batchItemFailures"]}
            for message in messages:
                if message["MessageId"] in refused:
                    failed.append(message)
                else:
                    self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
                    done += 1
        return done, failed

    def waiting(self) -> list[Mapping[str, Any]]:
        """Takes what is there out of sight, without doing anything about it."""
        found: list[Mapping[str, Any]] = []
        while messages := self._receive():
            found += messages
        return found

    def _receive(self) -> Sequence[Mapping[str, Any]]:
        answer = self.sqs.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=min(self.batch, _MOST), AttributeNames=["All"]
        )
        found: Sequence[Mapping[str, Any]] = answer.get("Messages", [])
        return found


class Life:
    """What happens in a deployed environment, in this order; each step says what it saw, or raises NexusError."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._bucket = scene.names.buckets.bronze
        self._registry = SchemaRegistry.connect(scene.endpoint, scene.settings.region, scene.names.registry)
        self._mapped: Mapped | None = None
        self._sent: list[Sent] = []

    def put(self) -> str:
        """Writes Bronze."""
        scene = self._scene
        self._mapped = Mapped.of(scene)
        self._sent = [
            load_shop(scene.store, self._bucket, scene.folder / "shop"),
            land_stream(scene.store, self._registry, self._bucket, datetime.now(UTC), 0),
        ]
        rows, objects = sum(s.rows for s in self._sent), sum(s.objects for s in self._sent)
        return f"{rows:,} rows in {objects} objects by the product's own writer, decoded by the deployed registry"

    def check(self) -> str:
        """Lets the check function take everything from the queue, between it a message that nobody understands."""
        mapped, objects = self._way(), sum(s.objects for s in self._sent)
        mapped.sqs.send_message(QueueUrl=mapped.url, MessageBody=_NONSENSE)
        with self._running("check_rows", self._scene.names.check_alias) as function:
            done, failed = mapped.run(function)
            require(
                done == objects, f"{done} announcements for {objects} objects came through rule and queue"
            )
            require(
                [m["Body"] for m in failed] == [_NONSENSE],
                f"{len(failed)} messages failed, not the one: {failed}",
            )
            self._redrive(function, failed[0])
        return f"{done} announcements through rule and queue, taken in batches of {mapped.batch}; nonsense set aside"

    def _redrive(self, function: Running, message: Mapping[str, Any]) -> None:
        """A message that fails as often as it may goes to the queue of dead letters, by the queue's own doing."""
        mapped, receipt = self._way(), message["ReceiptHandle"]
        for _ in range(mapped.attempts):
            mapped.sqs.change_message_visibility(
                QueueUrl=mapped.url, ReceiptHandle=receipt, VisibilityTimeout=0
            )
            _, failed = mapped.run(function)
            if not failed:
                break
            receipt = failed[0]["ReceiptHandle"]
        dead = mapped.sqs.get_queue_url(QueueName=self._scene.names.check_dead_letters)["QueueUrl"]
        found = mapped.sqs.receive_message(QueueUrl=dead).get("Messages", [])
        require([m["Body"] for m in found] == [_NONSENSE], f"the dead letters are {found}")

    def forget(self) -> str:
        """An object whose announcement is lost is found by the sweep, and checked."""
        scene, mapped = self._scene, self._way()
        self._sent.append(land_stream(scene.store, self._registry, self._bucket, datetime.now(UTC), 1))
        lost = mapped.waiting()
        require(len(lost) == 1, f"{len(lost)} announcements of one object")
        for message in lost:
            mapped.sqs.delete_message(QueueUrl=mapped.url, ReceiptHandle=message["ReceiptHandle"])
        with self._running("sweep_bronze", more=AT_ONCE) as sweep:
            found = sweep.call({})
        require(found["ObjectsAnnouncedAgain"] == 1, f"the sweep said {found}")
        require(found["ObjectsStuck"] == found["ObjectsMissing"] == 0, f"the sweep said {found}")
        with self._running("check_rows", scene.names.check_alias) as function:
            done, failed = mapped.run(function)
        require((done, failed) == (1, []), f"{done} done and {len(failed)} failed of one announced again")
        return (
            "one announcement thrown away: the deployed sweep announced the object again, and it was checked"
        )

    def balance(self) -> str:
        """What the product's own reports say: every row in Silver or in Quarantine, by count and by hash sum."""
        rows, bad = sum(s.rows for s in self._sent), sum(s.bad for s in self._sent)
        ledger = Ledger.connect(self._scene.ledger.owner_url)
        try:
            total = sum(reports.balance(ledger).values(), Balance())
            silver, quarantine = reports.output_keys(ledger)
        finally:
            ledger.close()
        require(total.closed, f"the ledger's balance is open: {total}")
        require(total.bronze.rows == rows, f"the ledger knows {total.bronze.rows} of {rows} rows")
        require(total.quarantine.rows == bad, f"{total.quarantine.rows} rows in Quarantine, {bad} are bad")
        self._compare("silver", silver, total.silver.rows, total.silver.hash_sum)
        self._compare("quarantine", quarantine, bad, total.quarantine.hash_sum)
        self._once(silver, quarantine, rows)
        return (
            f"{rows:,} rows: {total.silver.rows:,} in Silver, {bad} in Quarantine, none in both or neither; "
            "counts and hash sums of ledger and lake agree"
        )

    def requeue(self) -> str:
        """A row of Quarantine, mended by a file of edits: the deployed function moves it, once; the balance closes."""
        scene, bucket = self._scene, self._scene.names.buckets.quarantine
        key = f"{edits_prefix('orders')}rehearsal.csv"
        text = f"event_id,order_status\n{MENDED},created\n"
        scene.store.put(bucket, key, text.encode(), {"by": "rehearsal"})
        asked = {"entity": "orders", "edits": key}
        with self._running("requeue_quarantine") as function:
            seen = function.call({**asked, "mode": "preview"})
            first, again = (function.call({**asked, "mode": "replay"}) for _ in range(2))
        told = [(a["judged"], a["passing"], len(a["moved"])) for a in (seen, first, again)]
        # the row is in both objects of the stream
        require(told == [(2, 2, 0), (2, 2, 2), (0, 0, 0)], f"preview, replay and replay again said {told}")
        self._sent = [replace(s, bad=s.bad - 1) if s.objects == 1 else s for s in self._sent]
        return f"preview: 2 rows would pass; replay moved them, again moved none. {self.balance()}"

    def _compare(self, layer: str, keys: set[str], rows: int, total: int) -> None:
        hashes = [value for table in self._tables(layer, keys, ("row_hash",)) for (value,) in table]
        require(len(hashes) == rows, f"{layer} holds {len(hashes)} rows, the ledger says {rows}")
        require(hash_sum(hashes) == total, f"{layer} adds up to another hash sum than the ledger's")

    def _once(self, silver: set[str], quarantine: set[str], rows: int) -> None:
        places = {
            layer: [place for table in self._tables(layer, keys, _POSITION) for place in table]
            for layer, keys in (("silver", silver), ("quarantine", quarantine))
        }
        everywhere = [*places["silver"], *places["quarantine"]]
        require(len(set(everywhere)) == len(everywhere) == rows, "a row is in both layers, or twice in one")

    def _tables(self, layer: str, keys: set[str], columns: Sequence[str]) -> Iterator[list[tuple[Any, ...]]]:
        bucket = getattr(self._scene.names.buckets, layer)
        for key in sorted(keys):
            body = io.BytesIO(self._scene.store.get(bucket, key))
            # a reader with threads may abort a short process at its end
            table = pq.ParquetFile(body, pre_buffer=False).read(columns=list(columns), use_threads=False)
            yield list(zip(*(table[column].to_pylist() for column in columns), strict=True))

    def _running(
        self, package: str, qualifier: str = "$LATEST", more: Mapping[str, str] | None = None
    ) -> Running:
        return self._scene.start(self._scene.function(self._scene.names.function(package), qualifier), more)

    def _way(self) -> Mapped:
        require(self._mapped, "nothing was put into Bronze")
        assert self._mapped
        return self._mapped
