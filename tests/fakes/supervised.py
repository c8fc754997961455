"""The real supervisor over fake children: `python -m tests.fakes.supervised --lake L`, options as the real one's.

With `<run>/real` it runs the real object store, ledger and broker, and fakes for the rest. With `<run>/guarded`
it does as if the kernel told children nothing of their parent's death.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from local import processes, supervisor
from local.children import AWS, BROKER, CHECK, HOST, LEDGER, WRITER, mint_log_id, ready_file
from local.processes import Child, Command, read_when_written, spawn
from local.run_state import CODE, OpenLogs, Site
from local.start_steps import close_log as close_in_ledger
from local.supervision import ChildPlan

RANKS = {HOST: 1, WRITER: 2, f"{CHECK}-1": 3, BROKER: 4, LEDGER: 5, AWS: 6}
NEEDS = {HOST: (AWS, BROKER), WRITER: (AWS, LEDGER, BROKER), f"{CHECK}-1": (AWS, LEDGER)}
INFRASTRUCTURE = (AWS, LEDGER, BROKER)


def fake(name: str) -> ChildPlan:
    return ChildPlan(
        name,
        f"fake {name}",
        launch=lambda site: launch(site, name),
        ready=lambda site: ready(site, name),
        after=NEEDS.get(name, ()),
        ready_within_s=10,
        stop_within_s=10 if not name.startswith(CHECK) else 1.5,
        stop_rank=RANKS[name],
        if_it_dies="new log" if name == BROKER else "restart",
    )


def launch(site: Site, name: str) -> tuple[Child, Site]:
    if name == BROKER:
        number = len(list(site.run.glob("log-*"))) + 1
        site = replace(site, log=mint_log_id(datetime.now(UTC), f"{number:04x}"))
        (site.run / f"log-{number}").write_text(site.log)
        OpenLogs(site).add(site.log)
    ready_file(site, name).unlink(missing_ok=True)
    argv = (sys.executable, "-m", "tests.fakes.child", name, str(site.run), str(ready_file(site, name)))
    return spawn(Command(name, argv, {"PYTHONPATH": str(CODE)}, site.run), site.logs), site


def ready(site: Site, name: str) -> Site | None:
    word = read_when_written(ready_file(site, name))
    if word is None:
        return None
    return replace(site, broker=f"127.0.0.1:{word}") if name == BROKER else site


def build(site: Site) -> Sequence[ChildPlan]:
    if (site.run / "real").exists():
        real = [plan for plan in supervisor.product_table(site) if plan.name in INFRASTRUCTURE]
        return [*real, *(fake(name) for name in RANKS if name not in INFRASTRUCTURE)]
    return [fake(name) for name in reversed(RANKS)]


def close_log(site: Site, log: str, reason: str) -> str:
    if (site.run / "real").exists():
        return close_in_ledger(site, log, reason)
    with (site.run / "journal").open("a") as journal:
        journal.write(f"close {log} {reason}\n")
    return "" if reason == "drained" else f"events of {log} are lost"


if __name__ == "__main__":
    if (Path(sys.argv[sys.argv.index("--lake") + 1]) / "run" / "guarded").exists():
        processes.KERNEL_TELLS_CHILDREN = supervisor.KERNEL_TELLS_CHILDREN = False
    sys.exit(supervisor.main(None, build, close_log))
