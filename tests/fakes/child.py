"""A child that does nothing but live as told by files in its run folder: `python -m tests.fakes.child NAME`.

`<name>.fail`: ends with code 3 at its start. `<name>.deaf`: takes no notice of SIGTERM. Else it writes its ready
file (its pid) and, on SIGTERM, a line into `journal`.
"""

import os
import signal
import sys
from pathlib import Path


def main(name: str, run: Path, ready: Path) -> int:
    if (run / f"{name}.fail").exists():
        print(f"{name}: no such table: orders", flush=True)
        return 3
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    part = ready.with_suffix(".part")
    part.write_text(f"{os.getpid()}\n")
    part.replace(ready)
    while True:
        signal.sigwait(ends)
        if not (run / f"{name}.deaf").exists():
            break
    with (run / "journal").open("a") as journal:
        journal.write(f"{name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])))
