"""Keeps Gold at what is committed, with one dbt for all builds of its life: `python -m local.refresh`.

SIGTERM: what is committed by then is built, then it ends. A second one: it ends after the build in hand.
"""

import logging
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import FrameType

import duckdb

from adapters.ledger import Ledger, reports
from adapters.logs import configure_logs
from adapters.objects import STORE_ERRORS, ObjectStore
from lakehouse.errors import NexusError
from lakehouse.paths import Buckets
from local.gold import PublishedGold
from local.lake import Lake
from local.model import GoldBusy
from local.model_run import model
from local.refresh_trouble import Trouble, clear_trouble, note_trouble
from local.settings import RefreshSettings

_log = logging.getLogger("local.refresh")

# A look asks the ledger for all that is committed: a few milliseconds, and after each it rests this many times longer.
_LOOK_EVERY_S = 1.0
_LOOKS_SHARE = 20
# What fails is mostly tried in vain again until somebody has mended it, and a try costs as much as a build.
_FIRST_RETRY_S = 5.0
_LONGEST_RETRY_S = 300.0

Committed = Mapping[str, Sequence[str]]


def rest_after_look(took_s: float) -> float:
    """Seconds, so that looking takes at most a twentieth of one core."""
    return max(_LOOK_EVERY_S, _LOOKS_SHARE * took_s)


def rest_after_build(took_s: float) -> float:
    """Seconds, so that building takes at most half of the time, however large Gold becomes."""
    return max(_LOOK_EVERY_S, took_s)


def rest_after_failure(failures: int) -> float:
    """Seconds after so many failures in a row, 1 at least."""
    return min(_LONGEST_RETRY_S, _FIRST_RETRY_S * 2.0 ** min(failures - 1, 10))


@dataclass
class Refresh:
    """The loop, all in the thread that calls `run`. `committed` and `build` may raise what a server's absence raises.

    `build` raises GoldBusy while somebody else builds: then Gold comes from them.
    """

    committed: Callable[[], Committed]
    build: Callable[[], PublishedGold]
    fails: Callable[[Trouble], None]
    succeeds: Callable[[], None]
    now: Callable[[], datetime]
    stopping: threading.Event = field(default_factory=threading.Event)
    signals: int = 0
    _shown: set[str] | None = None
    _trouble: Trouble | None = None

    def stop(self, signum: int, _frame: FrameType | None) -> None:
        """For `signal.signal`."""
        self.signals += 1
        self.stopping.set()
        _log.info("%s: %s", signal.Signals(signum).name, "a last build" if self.signals == 1 else "stopping")

    def run(self) -> None:
        """Until a signal, and then one more round."""
        while not self.stopping.wait(self.round()):
            pass
        if self.signals < 2:
            self.round()

    def round(self) -> float:
        """Looks, builds when there is something new; the seconds to rest."""
        began = time.monotonic()
        try:
            if not self._something_new():
                return rest_after_look(time.monotonic() - began)
            published = self.build()
        except GoldBusy:
            return _LOOK_EVERY_S
        except (NexusError, duckdb.Error, OSError, *STORE_ERRORS) as error:
            return self._failed(error)
        self._shown = {key for keys in published.silver.values() for key in keys}
        self._trouble = None
        self.succeeds()
        took = time.monotonic() - began
        _log.info("Gold %s holds %d Silver objects, %.1f s", published.build, len(self._shown), took)
        return rest_after_build(took)

    def _something_new(self) -> bool:
        committed = {key for keys in self.committed().values() for key in keys}
        if self._shown is None:  # nothing at all is no reason to build
            return bool(committed)
        return committed != self._shown

    def _failed(self, error: Exception) -> float:
        before = self._trouble
        self._trouble = Trouble(
            tries=before.tries + 1 if before else 1,
            since=before.since if before else self.now().isoformat(timespec="seconds"),
            text=str(error),
        )
        rest = rest_after_failure(self._trouble.tries)
        _log.error("try %d, the next in %.0f s: %s", self._trouble.tries, rest, error)
        self.fails(self._trouble)
        return rest


def main() -> int:
    """Exit code 0 after a signal, 1 when a setting is missing."""
    configure_logs("refresh")
    try:
        settings = RefreshSettings.from_process()
    except NexusError as error:
        _log.error("%s", error)
        return 1
    lake = Lake(settings.lake, Buckets.of(settings.bucket_prefix))
    store = ObjectStore.connect(settings.endpoint, settings.region)
    clear_trouble(lake.run)
    with Ledger.connect(settings.ledger_url).connection as connection:
        ledger = Ledger(connection)

        def build() -> PublishedGold:
            return model(lake, ledger, store, datetime.now(UTC), lambda *_: None, waits=False)

        refresh = Refresh(
            committed=lambda: reports.committed_silver(ledger),
            build=build,
            fails=lambda trouble: note_trouble(lake.run, trouble),
            succeeds=lambda: clear_trouble(lake.run),
            now=lambda: datetime.now(UTC),
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, refresh.stop)
        refresh.run()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
