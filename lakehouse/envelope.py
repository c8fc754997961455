"""The rules that hold for every event of every entity, whatever its contract says: those of its envelope."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.catalog import Entity, Field, Kind, Rule
from lakehouse.rules.kind import Columns, Test
from lakehouse.rules.registry import compile_test
from lakehouse.text_view import Mask

UPSERT, DELETE = "upsert", "delete"
UNDECODABLE = "UNDECODABLE"  # the one reason of a row whose message could not be decoded
# The one reason of an object whose rows could not be read: it is no Bronze file, or a broken one; it is encrypted; it
# is compressed or encoded in a way that not every reader knows; or reading it asks for more than a check may use.
UNREADABLE, ENCRYPTED, CODEC, RESOURCE = "UNREADABLE", "ENCRYPTED", "CODEC", "RESOURCE"
WHOLE_OBJECT = frozenset({UNREADABLE, ENCRYPTED, CODEC, RESOURCE})

# A clock that is wrong by more than a day would make its events the newest version of their key for ever.
FUTURE_MS = 24 * 60 * 60 * 1000
# Years 1 to 9999 in microseconds since 1970: what every engine that reads Silver can show.
_FIRST_US, _LAST_US = -62_135_596_800_000_000, 253_402_300_799_999_999
FIRST_MS, LAST_MS = _FIRST_US // 1000, _LAST_US // 1000


def envelope_fields() -> Mapping[str, Field]:
    """The envelope's columns, and the broker's time, as columns of a contract."""
    kinds = {
        "event_id": Kind.TEXT,
        "occurred_at": Kind.INT64,
        "source": Kind.TEXT,
        "op": Kind.TEXT,
        "contract_version": Kind.TEXT,
        "broker_time": Kind.INT64,
    }
    return {name: Field(name, 0, kind, True, None, name, name) for name, kind in kinds.items()}


def known_versions(entity: Entity) -> tuple[str, ...]:
    """Contract versions whose rows can be judged."""
    return tuple(version.version for version in entity.versions)


def envelope_rules(entity: Entity) -> tuple[tuple[Rule, Test], ...]:
    """The rules in order, each with its test over the envelope's columns."""
    fields = envelope_fields()
    moments = {"min": str(_FIRST_US), "max": str(_LAST_US)}
    broker = {"min": str(FIRST_MS), "max": str(LAST_MS)}
    plain = (
        _rule("event_id_present", "not_null", "event_id", "The event has no id."),
        _rule("occurred_at_present", "not_null", "occurred_at", "The event does not say when it occurred."),
        _rule(
            "occurred_at_readable",
            "between",
            "occurred_at",
            "The moment is outside the years 1 to 9999.",
            moments,
        ),
        _rule(
            "broker_time_readable",
            "between",
            "broker_time",
            "The arrival is outside the years 1 to 9999.",
            broker,
        ),
        _rule("source_present", "not_null", "source", "The event does not say where it comes from."),
        _rule(
            "op_known",
            "in_set",
            "op",
            "The operation is neither upsert nor delete.",
            {"values": (UPSERT, DELETE)},
        ),
    )
    future = _rule(
        "occurred_at_not_in_future",
        "not_in_future",
        "occurred_at",
        "The event claims to have occurred more than 24 hours after it arrived.",
    )
    version = _rule(
        "contract_version_known",
        "known_version",
        "contract_version",
        "The event was written with a contract version that is not known here.",
        {"values": known_versions(entity)},
    )
    return (
        *((rule, compile_test(rule, fields)) for rule in plain),
        (future, _in_future),
        (version, _unknown_version(known_versions(entity))),
    )


def _rule(id_: str, kind: str, column: str, text: str, args: Mapping[str, object] | None = None) -> Rule:
    return Rule(id_, kind, column, "error", text, "conformity", args or {})


def _in_future(columns: Columns) -> Mask:
    """Compared in whole milliseconds after dividing: multiplying the broker's time could leave 64 bits."""
    occurred, broker = columns["occurred_at"], columns["broker_time"]
    occurred_us = occurred.values.fill_null(0).to_numpy()
    broker_ms = np.clip(broker.values.fill_null(0).to_numpy(), -(2**62), 2**62)
    latest = np.maximum(occurred_us, -(2**62)) - 1  # beyond a whole millisecond counts as beyond
    found: Mask = (latest // 1000 >= broker_ms + FUTURE_MS) & occurred.known & broker.known
    return found


def _unknown_version(versions: tuple[str, ...]) -> Test:
    """An event without a version cannot be judged either."""
    known = pa.array(versions, pa.string())

    def test(columns: Columns) -> Mask:
        found: Mask = pc.is_in(columns["contract_version"].values, value_set=known).to_numpy(
            zero_copy_only=False
        )
        return ~found

    return test
