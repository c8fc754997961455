"""Another clock for one process, by libfaketime: as Debian's package `faketime` installs it, or unpacked into build/.

`apt-get download libfaketime && dpkg-deb -x libfaketime_*.deb build/faketime` needs no root.
"""

from collections.abc import Mapping
from pathlib import Path

from local.run_state import CODE

DAYS = (-1, 1)
_PLACES = (Path("/usr/lib"), CODE / "build" / "faketime" / "usr" / "lib")


def find_faketime() -> Path | None:
    """The library for programs with threads; None when it is not on this machine."""
    for place in _PLACES:
        for found in sorted(place.glob("*/faketime/libfaketimeMT.so.1")):
            return found
    return None


def skewed_by(days: int) -> Mapping[str, str]:
    """Variables under which a process takes the time to be so many days later; its monotonic clock runs true."""
    library = find_faketime()
    assert library is not None, "asked for only where it was found"
    return {"LD_PRELOAD": str(library), "FAKETIME": f"{days:+d}d", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
