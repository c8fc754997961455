"""The faults, each with its number in the catalogue of what the pipeline must survive (docs/faults.md).

An injection returns when the fault is over and the pipeline may heal; it does not wait until it has. Moments and
lengths are drawn, so that a seed repeats them as far as real processes can be repeated.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from faults import to_processes as process
from faults import to_the_broker as broker
from faults import to_the_queue as queue
from faults import to_topics as topics
from faults.skewed import find_faketime
from faults.world import World

Inject = Callable[[World, random.Random], None]
ONE, THREE = 1, 3


@dataclass(frozen=True)
class Kind:
    """`number`: row of the fault catalogue. `weight`: how often it is drawn. `brokers`: of the Kafkas it fits."""

    number: int
    name: str
    inject: Inject
    weight: int = 1
    brokers: Sequence[int] = (ONE, THREE)
    possible: Callable[[], bool] = lambda: True


KINDS = (
    Kind(1, "broker killed, comes back", broker.kill_one, 2, (ONE,)),
    Kind(1, "one of three brokers killed", broker.kill_one, 3, (THREE,)),
    Kind(2, "two of three brokers killed", broker.kill_two, 1, (THREE,)),
    Kind(4, "ingest host killed", process.kill("grpc"), 3),
    Kind(5, "broker answers late", broker.answer_late, 2),
    Kind(5, "network between us and the broker parted", broker.part, 2),
    Kind(6, "connections to the broker cut", broker.cut, 2),
    Kind(8, "writer killed at any moment", process.kill("writer"), 4),
    Kind(9, "writer a zombie beyond its session", process.zombie("writer"), 1),
    Kind(10, "rival writer joins and is killed", process.rival_writer, 1),
    Kind(11, "object announced 200 times", queue.announce_again, 1),
    Kind(12, "announcements doubled and shuffled", queue.shuffle_announcements, 2),
    Kind(13, "announcement lost", queue.lose_announcement, 3),
    Kind(14, "test event, removal, unknown version", queue.odd_announcements, 2),
    Kind(15, "check killed at any moment", process.kill("check-1"), 4),
    Kind(20, "poison in the queue", queue.poison_message, 1),
    Kind(21, "object store stands still", process.pause("aws", 0.5, 4), 2),
    Kind(21, "broker stands still", broker.pause_one, 1),
    Kind(22, "object store killed, answers lost", process.kill("aws"), 2),
    Kind(37, "poison record in Kafka", topics.poison_record, 2),
    Kind(38, "sender's clock wrong by days", process.wrong_clock, 1),
    Kind(38, "host's clock a day off", process.skewed_host, 1, possible=lambda: find_faketime() is not None),
    Kind(51, "ledger killed", process.kill("postgres"), 2),
    Kind(54, "everything killed, started again", process.everything_dies, 1),
    Kind(66, "orderly restart over an old lake", process.restart, 1),
    Kind(66, "cluster replaced over an old lake", topics.replace_cluster, 1),
    Kind(67, "topics made anew under the same log", topics.make_anew, 1, (ONE,)),
    Kind(71, "retention passes the landing", topics.expire, 1),
    Kind(72, "rules changed in mid-flight, and back", process.other_rules, 2),
)


def fitting(brokers: int) -> list[int]:
    """Places in KINDS of those that can strike a Kafka of so many brokers here."""
    return [place for place, kind in enumerate(KINDS) if brokers in kind.brokers and kind.possible()]
