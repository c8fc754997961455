"""The bound: however records spread and whenever they are answered, no partition holds more than its share."""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from grpc_ingest.backlog import Backlog

LIMIT = 1_000_000
TOPICS = ("orders.v1", "payments.v1")


class BoundedBroker(RuleBasedStateMachine):
    """A broker with four partitions per topic, a writer that commits, and a producer that asks the backlog first."""

    under_way = Bundle("under_way")

    def __init__(self) -> None:
        super().__init__()
        self.backlog = Backlog(LIMIT)
        self.partitions: dict[tuple[str, int], list[int]] = {}
        self.committed: dict[tuple[str, int], int] = {}
        self.reserved = dict.fromkeys(TOPICS, 0)

    @rule(target=under_way, topic=st.sampled_from(TOPICS), size=st.integers(1, LIMIT))
    def send(self, topic: str, size: int):  # type: ignore[no-untyped-def]
        if not self.backlog.admit({topic: size}):
            return multiple()
        self.reserved[topic] += size
        return topic, size

    @rule(sent=consumes(under_way), partition=st.integers(0, 3))
    def deliver(self, sent: tuple[str, int], partition: int) -> None:
        topic, size = sent
        self.reserved[topic] -= size
        records = self.partitions.setdefault((topic, partition), [])
        records.append(size)
        self.backlog.deliver(topic, partition, len(records), size)

    @rule(sent=consumes(under_way))
    def fail(self, sent: tuple[str, int]) -> None:
        self.reserved[sent[0]] -= sent[1]
        self.backlog.release(*sent)

    @rule(topic=st.sampled_from(TOPICS), partition=st.integers(0, 3), share=st.floats(0, 1))
    def commit(self, topic: str, partition: int, share: float) -> None:
        place = (topic, partition)
        end = len(self.partitions.get(place, ()))
        self.committed[place] = max(self.committed.get(place, 0), round(end * share))
        self.backlog.commit({place: self.committed[place]})

    @invariant()
    def no_partition_holds_more_than_its_share(self) -> None:
        for place, records in self.partitions.items():
            held = records[self.committed.get(place, 0) :]
            # One record may be as large as the share, when nothing else is there.
            assert sum(held) <= LIMIT or len(held) == 1

    def teardown(self) -> None:
        """Once all is answered and committed there is room again: nothing waits for ever."""
        for topic, size in self.reserved.items():
            if size:
                self.backlog.release(topic, size)
        self.backlog.commit({place: len(records) for place, records in self.partitions.items()})
        assert self.backlog.uncommitted() == []
        assert self.backlog.admit(dict.fromkeys(TOPICS, LIMIT))


TestBoundedBroker = BoundedBroker.TestCase


def test_admit_reserves_all_topics_or_none() -> None:
    backlog = Backlog(100)
    assert backlog.admit({"orders.v1": 100})
    assert not backlog.admit({"payments.v1": 50, "orders.v1": 1})
    assert backlog.admit({"payments.v1": 100})


def test_partition_of_unknown_content_is_full_until_it_is_landed() -> None:
    backlog = Backlog(100)
    backlog.fill("orders.v1", 2, 40)
    assert not backlog.admit({"orders.v1": 1})
    backlog.commit({("orders.v1", 2): 39})
    assert not backlog.admit({"orders.v1": 1})
    assert backlog.uncommitted() == [("orders.v1", 2)]
    backlog.commit({("orders.v1", 2): 40})
    assert backlog.admit({"orders.v1": 1})


@given(st.lists(st.integers(1, 30_000), min_size=1, max_size=60))
def test_backlog_counts_every_byte_until_it_is_committed(sizes: list[int]) -> None:
    backlog = Backlog(10**9)
    for end, size in enumerate(sizes, start=1):
        assert backlog.admit({"orders.v1": size})
        backlog.deliver("orders.v1", 0, end, size)
    assert not backlog.admit({"orders.v1": 10**9 - sum(sizes) + 1})
    backlog.commit({("orders.v1", 0): len(sizes)})
    assert backlog.admit({"orders.v1": 10**9})
