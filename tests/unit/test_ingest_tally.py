"""Trace ids, the lines about refusals, the summary; and librdkafka's lines, which are limited."""

import logging

import pytest

from grpc_ingest.broker import LimitedLog
from grpc_ingest.refusal import Code, refuse_for_now, refuse_malformed
from grpc_ingest.server.tally import Tally, find_trace_id

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ([("traceparent", f"00-{TRACE}-b7ad6b7169203331-01")], TRACE),
        ([("traceparent", f"00-{TRACE}-b7ad6b7169203331-01"), ("x-trace-id", "mine")], TRACE),
        ([("x-trace-id", "mine")], "mine"),
        ([("traceparent", "nonsense"), ("x-trace-id", "mine")], "mine"),
        ([("x-trace-id", "with blank")], None),
        ([("x-trace-id", "x" * 65)], None),
        ([("x-trace-id", "")], None),
        ([], None),
    ],
)
def test_trace_id_is_the_callers_if_it_has_one(metadata: list[tuple[str, str]], expected: str | None) -> None:
    assert find_trace_id(metadata) == expected


def a_tally(now: list[float]) -> Tally:
    return Tally(lambda: now[0], lambda: "made")


def test_call_without_trace_id_gets_one() -> None:
    assert a_tally([0.0]).begin("Put", ()).trace_id == "made"


def test_refusals_are_told_once_a_second(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    tally = a_tally(now)
    call = tally.begin("PutBatch", ())
    for _ in range(50):
        tally.count(call, 0, [refuse_malformed("orders.op", "wrong op")] * 2)
    assert [r.getMessage() for r in caplog.records] == ["2 events refused, such as: wrong op"]
    now[0] = 1.5
    tally.count(call, 0, [refuse_for_now(Code.UNAVAILABLE, "away")])
    assert caplog.records[-1].getMessage() == "99 events refused, such as: away"
    assert call.refused == 101


def test_summary_is_told_when_there_was_traffic(caplog: pytest.LogCaptureFixture) -> None:
    tally = a_tally([0.0])
    with caplog.at_level(logging.INFO):
        tally.summarise()
        call = tally.begin("PutStream", ())
        tally.count(call, 7, [refuse_malformed("", "x")])
        tally.summarise()
        tally.summarise()
        tally.count(call, 2, [])
        tally.summarise()
    lines = [vars(r) for r in caplog.records if r.getMessage() == "traffic"]
    assert [(line["calls"], line["acknowledged"], line["refused"]) for line in lines] == [
        (1, 7, {"INVALID_ARGUMENT": 1}),
        (0, 2, {}),
    ]
    assert tally.totals() == {"calls": 1, "acknowledged": 9, "refused": {"INVALID_ARGUMENT": 1}}


def test_lines_of_librdkafka_are_limited() -> None:
    now = [0.0]
    limited = LimitedLog(2, lambda: now[0])
    record = logging.LogRecord("librdkafka", logging.ERROR, "", 0, "broker %s down", ("b1",), None)
    assert [limited.filter(record) for _ in range(5)] == [True, True, False, False, False]
    now[0] = 61.0
    assert limited.filter(record)
    assert record.getMessage() == "broker b1 down (and 3 lines held back before)"
