"""How records are handed to the producer: in order, within the bound, and told when there is no room."""

import asyncio

from confluent_kafka import KafkaError

from grpc_ingest.backlog import Backlog
from grpc_ingest.server.courier import Courier
from lakehouse.catalog import load_entities
from tests.builders.events import an_edge, an_event
from tests.fakes.ingest_host import until
from tests.fakes.kafka import (
    FailingBroker,
    PromptBroker,
    SilentBroker,
)


def test_large_batch_goes_in_parts_and_keeps_its_order() -> None:
    """A batch larger than the bound is admitted part by part, as earlier parts are landed."""
    broker, edge = SilentBroker(), an_edge()
    sellers = load_entities()["sellers"]
    events = [
        an_event(sellers, event_id=str(n), seller_city="x" * 1000)
        if n % 2
        else an_event(event_id=str(n), order_status="x" * 1000)
        for n in range(2000)
    ]

    async def go() -> None:
        backlog = Backlog(400_000)
        courier = Courier(broker, backlog)
        sending = asyncio.ensure_future(courier.send([edge.accept(e) for e in events], None))
        landed = 0
        while not sending.done():
            await until(lambda: bool(broker.waiting) or sending.done())
            assert sum(len(value) for _t, value, _k in broker.records[landed:]) <= 800_000
            broker.answer_all()
            landed = len(broker.records)
            backlog.commit({("orders.v1", 0): landed, ("sellers.v1", 0): landed})
            courier.wake()
            await asyncio.sleep(0)
        deliveries = await sending
        assert [e for d in deliveries for e in d.event_ids] == [str(n) for n in range(2000)]
        assert len(deliveries) > 5
        broker.answer_all()
        assert [o[1] for d in deliveries for o in d.take()] == list(range(2000))
        courier.begin_drain()
        assert await courier.end_drain(1.0) == 0

    asyncio.run(go())


def test_records_that_kafka_refused_give_their_room_back() -> None:
    async def go() -> None:
        backlog = Backlog(100_000)
        courier = Courier(FailingBroker(KafkaError._MSG_TIMED_OUT), backlog)
        records = [an_edge().accept(an_event()) for _ in range(100)]
        for _ in range(20):
            (delivery,) = await courier.send(records, 0.0)
            await delivery.wait(30.0)
        assert backlog.admit({"orders.v1": 100_000})
        courier.begin_drain()
        await courier.end_drain(0.1)

    asyncio.run(go())


def test_request_that_finds_no_room_is_exhausted_and_one_at_shutdown_unavailable() -> None:
    async def go() -> None:
        backlog = Backlog(1000)
        backlog.fill("orders.v1", 0, 99)
        broker = PromptBroker()
        courier = Courier(broker, backlog)
        records = [an_edge().accept(an_event()), an_edge().accept(b"")]
        (delivery,) = await courier.send(records, 0.1)
        assert [r.code for r in delivery.take()] == [8, 3]  # type: ignore[union-attr]
        assert broker.records == []
        waiting = asyncio.ensure_future(courier.send(records, None))
        await asyncio.sleep(0)
        courier.begin_drain()
        (delivery,) = await waiting
        assert [r.code for r in delivery.take()] == [14, 3]  # type: ignore[union-attr]
        await courier.end_drain(0.1)

    asyncio.run(go())
