"""A deployment waits for its schema versions, and fails when the registry refuses one."""

from collections.abc import Mapping

import pytest

from lakehouse.errors import RegistryError
from lambdas.check_schemas.handler import POLL, WITHIN, await_available, check


class RegistryThatDecidesLate:
    """Says PENDING so many times before what it decides."""

    def __init__(self, decisions: Mapping[str, tuple[int, str]]) -> None:
        self._pending = {version: times for version, (times, _) in decisions.items()}
        self._decided = {version: status for version, (_, status) in decisions.items()}

    def get_schema_version(self, SchemaVersionId: str) -> dict[str, str]:  # noqa: N803 - as in Glue
        self._pending[SchemaVersionId] -= 1
        late = self._pending[SchemaVersionId] >= 0
        return {"Status": "PENDING" if late else self._decided[SchemaVersionId]}


class Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


def wait(decisions: Mapping[str, tuple[int, str]]) -> tuple[Mapping[str, str], Clock]:
    clock = Clock()
    versions = {f"orders.v1 {version}": version for version in decisions}
    return await_available(RegistryThatDecidesLate(decisions), versions, clock.now, clock.sleep), clock


def test_schemas_that_are_available_take_no_time() -> None:
    found, clock = wait({"1.0.0": (0, "AVAILABLE"), "1.1.0": (0, "AVAILABLE")})
    assert found == {"Available": "2"}
    assert clock.time == 0


def test_schemas_are_waited_for() -> None:
    found, clock = wait({"1.0.0": (3, "AVAILABLE"), "1.1.0": (1, "AVAILABLE")})
    assert found == {"Available": "2"}
    assert clock.time == 3 * POLL


@pytest.mark.parametrize("status", ["FAILURE", "DELETING"])
def test_schemas_that_are_refused_fail_with_their_names(status: str) -> None:
    with pytest.raises(RegistryError, match=rf"orders\.v1 1\.1\.0 \({status}\).*raise the major version"):
        wait({"1.0.0": (0, "AVAILABLE"), "1.1.0": (2, status)})


def test_schemas_that_stay_undecided_fail_after_a_minute() -> None:
    with pytest.raises(RegistryError, match=r"not decided on orders\.v1 1\.0\.0"):
        wait({"1.0.0": (int(WITHIN / POLL) + 10, "AVAILABLE")})


def test_schemas_of_a_stack_that_goes_are_not_asked_for() -> None:
    assert check("Delete", {}) == {}
