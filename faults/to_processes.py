"""What strikes the processes of the lake: deaths, pauses, rivals, other clocks, other rules."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from faults.skewed import DAYS, skewed_by
from faults.waiting import wait_for
from faults.workload import DAY, Event
from faults.world import WRITER, World
from local.run_state import CODE

# Longer than the session timeout of the writer's group (6 s): the group takes its partitions away meanwhile.
_ZOMBIE_S = 8.0


def kill(child: str) -> Callable[[World, random.Random], None]:
    """kill -9 of a child, at any moment of its work."""

    def inject(world: World, draw: random.Random) -> None:
        pid = world.pid(child)
        time.sleep(draw.uniform(0, 0.5))
        send_signal(pid, signal.SIGKILL)

    return inject


def pause(child: str, least_s: float, most_s: float) -> Callable[[World, random.Random], None]:
    """SIGSTOP, SIGCONT."""

    def inject(world: World, draw: random.Random) -> None:
        pid = world.pid(child)
        send_signal(pid, signal.SIGSTOP)
        time.sleep(draw.uniform(least_s, most_s))
        send_signal(pid, signal.SIGCONT)

    return inject


def zombie(child: str) -> Callable[[World, random.Random], None]:
    """A pause in which its group goes on without it."""
    return pause(child, _ZOMBIE_S, _ZOMBIE_S + 2)


def rival_writer(world: World, draw: random.Random) -> None:
    """A second writer joins the group, takes half of the partitions, and is killed in the midst of its work."""
    with _another(world, "rival", "bronze_writer", WRITER):
        time.sleep(draw.uniform(2, 6))


def other_rules(world: World, draw: random.Random) -> None:
    """A check with stricter rules works beside the deployed one, each is killed while the other goes on.

    So objects that were opened under either rules come to the other: deployed, and rolled back.
    """
    with _another(world, "stricter", "faults.stricter", {}) as ready:
        wait_for("the check with other rules", ready.exists)
        for _ in range(draw.randrange(1, 4)):
            time.sleep(draw.uniform(0.2, 1.5))
            send_signal(world.pid("check-1"), signal.SIGKILL)
        time.sleep(draw.uniform(0.5, 2))


def everything_dies(world: World, draw: random.Random) -> None:
    """kill -9 of the supervisor: with it, all that it started. Then a new start; the shop has the same port."""
    running, port = world.running, world.grpc_port
    for pid in [running.supervisor_pid, *running.children.values()]:
        if pid:
            send_signal(pid, signal.SIGKILL)
    world.up(port)


def restart(world: World, draw: random.Random) -> None:
    """An orderly stop and a start, as for a new version of the software."""
    world.up(world.down())


def wrong_clock(world: World, draw: random.Random) -> None:
    """A sender's clock is a day off: behind, the row is late; ahead by more than a day, its row is held."""
    for _ in range(20):
        event = world.workload.next()
        now = int(time.time() * 1_000_000)
        behind = Event(event.entity, f"{event.event_id}-b", now - DAY, event.columns, event.fate, event.op)
        ahead = Event(
            event.entity, f"{event.event_id}-a", now + 3 * DAY, event.columns, "quarantine", event.op
        )
        for skewed in (behind, ahead):
            world.shop.send(skewed)


def skewed_host(world: World, draw: random.Random) -> None:
    """Events go through a host whose clock is a day behind or ahead: the broker's clock decides, not the host's."""
    days = draw.choice(DAYS)
    with _another(
        world, "skewed", "grpc_ingest.server", {"NEXUS_GRPC_PORT": "0", **skewed_by(days)}
    ) as ready:
        port = wait_for("the host with another clock", lambda: ready.exists() and ready.read_text().strip())
        world.shop.send_by(f"127.0.0.1:{port}", [world.workload.next() for _ in range(200)])


def send_signal(pid: int, number: signal.Signals) -> None:
    """To a process that may have ended."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


@contextmanager
def _another(world: World, name: str, module: str, more: Mapping[str, str]) -> Iterator[Path]:
    """One more process of the lake, not looked after by its supervisor, and its ready file; killed at the end."""
    ready = world.lake / "run" / f"{name}.ready"
    ready.unlink(missing_ok=True)
    environment = {"PATH": os.defpath, "PYTHONPATH": str(CODE), **world.running.environment()}
    environment |= {"NEXUS_READY_FILE": str(ready), **more}
    with (world.lake / "run" / "logs" / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", module], env=environment, cwd=CODE, stdout=log, stderr=log
        )
    try:
        yield ready
    finally:
        process.kill()
        process.wait()
