"""Sends the events through the balancer as a shop does: the client of the edge, by TLS, until each is settled."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import grpc

from grpc_ingest.client import Batching, EventResult, IngestClient
from lakehouse.errors import BrokerError
from lakehouse.identity import Position
from lambdas.canary.events import ENTITY, SOURCE, CanaryEvent
from lambdas.canary.settings import Settings

# A host that is replaced answers again within seconds; a balancer without one does not within a minute either.
GIVE_UP_S = 60.0


@dataclass(frozen=True)
class Sent:
    """Where each acknowledged event stands, by event id; why the others were given up."""

    positions: dict[str, Position]
    refusals: tuple[str, ...]


def send(
    settings: Settings, events: Sequence[CanaryEvent], at: datetime, give_up_s: float = GIVE_UP_S
) -> Sent:
    """Returns when every event is acknowledged or given up, after a little over `give_up_s` at most.

    BrokerError when what answers there is no ingest host.
    """
    results: list[EventResult] = []
    client = IngestClient.connect(
        settings.ingest_address,
        SOURCE,
        batching=Batching(give_up_after_s=give_up_s),
        on_results=results.extend,
        credentials=grpc.ssl_channel_credentials() if settings.certificate_name else None,
        certificate_name=settings.certificate_name,
    )
    with client:
        for event in events:
            client.send(ENTITY, event.columns, at, event_id=event.event_id)
    lost = len(events) - len(results)
    if lost:
        raise BrokerError(f"the client of the edge said nothing of {lost} events: that is a defect of it")
    return Sent(
        {result.event_id: result.position for result in results if result.position},
        tuple(result.refusal.message for result in results if result.refusal),
    )
