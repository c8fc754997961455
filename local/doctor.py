"""Examines a machine and a lake: each thing in one line, and what to do about what is wrong. Changes nothing."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from adapters.ledger import Ledger, reports, restore
from lakehouse.catalog import load_entities
from lakehouse.errors import NexusError
from local import runtime
from local.children import GOLD
from local.closing import EMBEDDED
from local.extras import unknown_counts
from local.finding import Finding
from local.folder_lake import FolderLake
from local.gold import read_published
from local.lake import Lake
from local.lake_account import LakeAccounts
from local.lake_lock import read_holder
from local.ledger_access import open_ledger
from local.ledger_positions import compare_loads
from local.machine import examine_machine, left_over
from local.refresh_trouble import read_trouble
from local.run_state import OWN_KAFKA, Running
from local.settings import Settings

# An object is checked in 50 ms. After so many attempts it is not bad luck.
_MANY_ATTEMPTS = 3


def examine(lake: Lake, settings: Settings, now: datetime) -> Iterator[Finding]:
    """Machine first, then the lake, as far as there is one."""
    wants_kafka = settings.broker == OWN_KAFKA or (lake.root / "kafka").is_dir()
    yield from examine_machine(lake.root, wants_kafka)
    if not lake.objects.is_dir():
        yield Finding.note("lake", f"there is none in {lake.root}", "nexus demo")
        return
    holder = read_holder(lake.root)
    yield from left_over(lake.root, holder.pid if holder else 0)
    running = runtime.attach(lake.root)
    if running is not None:
        yield from examine_running(running)
    elif holder:
        yield Finding.note("running", f"process {holder.pid} starts, stops or examines the lake")
    else:
        yield Finding.note("running", "nothing runs this lake", "nexus up")
    yield _files(lake)
    if holder and running is None:
        return  # whoever holds it starts or stops it: the ledger may be half up
    try:
        with open_ledger(lake, settings.ledger) as ledger:
            yield Finding.ok("ledger", "answers" + ("" if running else ", and is stopped again"))
            yield from examine_ledger(lake, ledger, running, now)
    except NexusError as error:
        yield Finding.problem("ledger", str(error), "As it says")


def examine_ledger(lake: Lake, ledger: Ledger, running: Running | None, now: datetime) -> Iterator[Finding]:
    """What the ledger knows to be wrong; `nexus ledger check` compares it with the lake, object by object."""
    if restore.unfinished_rebuild(ledger):
        yield Finding.problem("rebuild", "was broken off", "nexus down, then: nexus ledger rebuild")
    yield _balance(ledger, running)
    yield from _objects(ledger)
    yield from _logs(ledger, running)
    yield from _loads(lake, ledger)
    yield from _unknown_columns(ledger)
    yield gold_state(lake, ledger, running, now)


def examine_running(running: Running) -> Iterator[Finding]:
    """The processes of a lake that runs."""
    if down := [name for name, pid in running.children.items() if not pid]:
        log = running.lake / "run" / "logs"
        yield Finding.problem(
            "running", f"{', '.join(down)} is down", f"It is started again; its log is in {log}"
        )
    else:
        yield Finding.ok("running", f"{len(running.children)} processes, since {running.started_at}")
    often = {name: n for name, n in running.restarts.items() if n}
    if often:
        named = ", ".join(f"{name} {n} times" for name, n in often.items())
        yield Finding.note(
            "restarts", f"{named} since the start", f"See why in {running.lake / 'run' / 'logs'}"
        )


def _files(lake: Lake) -> Finding:
    misfits = FolderLake(lake.root).misfits(vars(lake.buckets).values())
    if not misfits:
        return Finding.ok("files", "every file of the lake is what was stored")
    more = f" (and {len(misfits) - 1:,} more: nexus ledger check)" if len(misfits) > 1 else ""
    remedy = "Bring it back from a copy of the lake; without one move it away, and an output is written again"
    return Finding.problem("files", misfits[0].text + more, remedy)


def _balance(ledger: Ledger, running: Running | None) -> Finding:
    balances = reports.balance(ledger)
    wrong = [name for name, b in balances.items() if b.difference.rows or b.difference.hash_sum]
    rows = sum(b.bronze.rows for b in balances.values())
    if wrong:
        return Finding.problem(
            "balance", f"{', '.join(wrong)} does not add up", "nexus ledger check names the objects"
        )
    waiting = sum(b.unchecked.rows for b in balances.values())
    if not waiting:
        return Finding.ok("balance", f"{rows:,} rows, all in Silver or Quarantine")
    text = f"{waiting:,} of {rows:,} rows wait to be checked"
    if running:
        return Finding.note("balance", text, "It takes seconds; if the number stays: nexus ledger check")
    return Finding.problem("balance", text, "nexus up")


def _objects(ledger: Ledger) -> Iterator[Finding]:
    states = Counter(reports.bronze_keys(ledger).values())
    for state, meaning in (
        ("overlap", "overlap others and are not counted"),
        ("gone", "are gone from Bronze"),
    ):
        if count := states.get(state):
            remedy = f"docs/runbooks/objects-{state}.md; nexus ledger check names them"
            yield Finding.problem("objects", f"{count:,} objects {meaning}", remedy)
    if failing := reports.failing_objects(ledger, _MANY_ATTEMPTS):
        text = f"{len(failing):,} objects were tried {_MANY_ATTEMPTS} times and more in vain: {failing[0]}"
        yield Finding.problem("objects", text, "The check's log says why: run/logs/check-1.log in the lake")
    if not states.keys() & {"overlap", "gone"} and not failing:
        yield Finding.ok("objects", f"{sum(states.values()):,}, none stuck")


def _logs(ledger: Ledger, running: Running | None) -> Iterator[Finding]:
    current = running.log if running else ""
    left = sorted(log for log in reports.open_logs(ledger) if log.startswith(EMBEDDED) and log != current)
    if left:
        text = f"the log of a broker that is gone was never closed: {', '.join(left)}"
        yield Finding.problem("logs", text, "nexus up closes it, and names what was lost with it")
    holes = [p for p in reports.positions(ledger) if p.unlanded and p.log not in (current, *left)]
    if holes:
        offsets = sum(p.unlanded for p in holes)
        text = (
            f"{offsets:,} offsets never landed, first of {holes[0].log}/{holes[0].topic}/{holes[0].partition}"
        )
        yield Finding.problem("offsets", text, "nexus ledger check says whether they are lost or wait")
    if voids := reports.voids(ledger):
        offsets = sum(v.end - v.first for v in voids)
        reasons = ", ".join(sorted({v.reason for v in voids}))
        text = f"{offsets:,} offsets will never land ({reasons})"
        yield Finding.note("void", text, "nexus ledger names them; sending the same events again mends it")
    if not left and not holes:
        yield Finding.ok("offsets", "all landed, or named as void")


def _loads(lake: Lake, ledger: Ledger) -> Iterator[Finding]:
    accounts = LakeAccounts(FolderLake(lake.root), lake.buckets, load_entities())
    open_loads = list(compare_loads(accounts, ledger))
    if open_loads:
        text = f"{open_loads[0].what}: {open_loads[0].text}"
        remedy = "Load the same file once more (nexus load ENTITY FILE): it goes on where it stopped"
        yield Finding.problem("loads", text, remedy)
    else:
        yield Finding.ok("loads", "every batch file is covered")


def _unknown_columns(ledger: Ledger) -> Iterator[Finding]:
    for entity, counts in unknown_counts(ledger).items():
        told = ", ".join(f"{name} ({rows:,} rows of Silver)" for name, rows in counts.items())
        text = f"{entity} came with columns that its contract does not know: {told}"
        yield Finding.note("contract", text, "nexus extras prints what the contract would have to say")


def gold_state(lake: Lake, ledger: Ledger, running: Running | None, now: datetime) -> Finding:
    """When Gold was published, how much of Silver it lacks, and why."""
    try:
        published = read_published(lake.root, lake.buckets.gold)
    except NexusError as error:
        return Finding.problem("Gold", str(error), "nexus model")
    committed = {key for keys in reports.committed_silver(ledger).values() for key in keys}
    follows = running is not None and GOLD in running.children
    if published is None:
        text, behind = "nothing is published yet", len(committed)
    else:
        age = now - datetime.fromisoformat(published.published_at)
        behind = len(committed.difference(*published.silver.values()))
        lacks = f"{behind:,} Silver objects behind" if behind else "nothing newer in Silver"
        text = f"{published.build}, published {_words(age.total_seconds())} ago, {lacks}"
    if follows and (trouble := read_trouble(lake.run)):
        times = "once" if trouble.tries == 1 else f"{trouble.tries} times"
        text += f"; to build it has failed {times} since {trouble.since}: {trouble.text}"
        return Finding.problem("Gold", text, "It is tried again by itself; nexus model tries at once")
    if not behind and published:
        return Finding.ok("Gold", text)
    remedy = "It follows by itself" if follows else "nexus model"
    return Finding.note("Gold", text, remedy if behind else "")


def _words(seconds: float) -> str:
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0, seconds):.0f} seconds"
