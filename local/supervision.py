"""Keeps a table of children running: starts them in order of need, heals those that die, drains them in order.

It knows nothing of what the children do; `local.children` has the table. All spawning happens in the thread
that calls `start`, `step` and `drain`, which must be the main thread.
"""

import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from lakehouse.errors import NexusError
from local.processes import Child, ChildFailed, describe_exit, kill
from local.run_state import OpenLogs, Site

# A child that dies at once each time is tried again ever more slowly, for ever: its cause may be mended
# (a full disk, a database of somebody else's) and each try is told of.
FIRST_REST_S = 0.5
LONGEST_REST_S = 30.0
# After this long without dying a child's earlier deaths no longer count.
FORGIVEN_AFTER_S = 60.0
# A child that is stopped before it was ready has nothing to bring to an end.
UNREADY_STOP_S = 3.0


@dataclass(frozen=True)
class ChildPlan:
    """One line of the table.

    `launch` gives the started child and what became known by it; None in place of a child for a mere step.
    `ready` gives the site, completed, once the child works; None until then. `then` is done each time it became
    ready and must be idempotent. `stop_rank`: lower is stopped earlier, equal ranks together.
    """

    name: str
    text: str
    launch: Callable[[Site], tuple[Child | None, Site]]
    ready: Callable[[Site], Site | None]
    then: Callable[[Site], Site] = lambda site: site
    after: tuple[str, ...] = ()
    ready_within_s: float = 30.0
    stop_signal: signal.Signals = signal.SIGTERM
    stop_within_s: float = 10.0
    stop_rank: int = 0
    if_it_dies: Literal["restart", "new log"] = "restart"


class CloseLog(Protocol):
    """Closes an embedded log in the ledger: records its end, names what was not landed. Idempotent."""

    def __call__(self, site: Site, log: str, reason: str) -> str:
        """`reason`: `drained` (only then `site.broker` is that log's and still answers), else why it ended.

        Gives what was lost, in words for a person; empty when nothing was. Raises NexusError when the ledger
        does not take it; it is asked again at the next start.
        """


class Tell(Protocol):
    """Where events go (`EventFile.tell`)."""

    def __call__(self, kind: str, text: str, name: str = "", done: int = 0, of: int = 0) -> None:
        """See `local.run_events.Event`."""


@dataclass
class Post:
    """The place of one child: who stands there now, and since when (monotonic seconds)."""

    plan: ChildPlan
    state: Literal["waiting", "starting", "ready"] = "waiting"
    child: Child | None = None
    since: float = 0.0
    not_before: float = 0.0
    deaths: int = 0  # in a row
    restarts: int = 0  # ever

    def up(self) -> None:
        """From here on a death is healed, not fatal."""
        self.state, self.since = "ready", time.monotonic()

    def rest(self) -> float:
        """Seconds until it is tried again."""
        now = time.monotonic()
        if self.state == "ready" and now - self.since > FORGIVEN_AFTER_S:
            self.deaths = 0
        pause = min(LONGEST_REST_S, FIRST_REST_S * 2.0**self.deaths)
        self.deaths, self.restarts = min(self.deaths + 1, 10), self.restarts + 1
        self.state, self.child, self.not_before = "waiting", None, now + pause
        return pause


class Supervision:
    """Not safe for threads. `site` is what is known now."""

    def __init__(self, site: Site, table: Sequence[ChildPlan], close_log: CloseLog, tell: Tell) -> None:
        self.site = site
        self.posts = [Post(plan) for plan in table]
        self.open_logs = OpenLogs(site)
        self._close_log, self._tell = close_log, tell

    def all_ready(self) -> bool:
        """Whether every child works."""
        return all(post.state == "ready" for post in self.posts)

    def pids(self) -> dict[str, int]:
        """Name → pid, 0 while it is down. Steps have none."""
        return {post.plan.name: post.child.pid if post.child else 0 for post in self._children()}

    def restarts(self) -> dict[str, int]:
        """Name → how often it was healed."""
        return {post.plan.name: post.restarts for post in self._children()}

    def start_step(self) -> bool:
        """One round of starting, True when all are ready. Raises what a child's failure raised."""
        for post in self.posts:
            if post.state == "waiting" and self._needs_met(post):
                self._launch(post)
            if post.state == "starting":
                self._look(post)
            elif post.child and (code := post.child.exit_code()) is not None:
                raise ChildFailed(post.child, f"{describe_exit(code)} while the others were being started")
        return self.all_ready()

    def heal_step(self, only: Sequence[Post] | None = None) -> None:
        """One round of looking after everybody (or `only` those): what died is told of and started again."""
        for post in self.posts if only is None else only:
            try:
                if post.child and post.state == "ready":
                    code = post.child.exit_code()
                    if code is not None:
                        raise ChildFailed(post.child, describe_exit(code))
                elif (
                    post.state == "waiting" and time.monotonic() >= post.not_before and self._needs_met(post)
                ):
                    self._launch(post)
                if post.state == "starting":
                    self._look(post)
            except NexusError as error:
                self._lost(post, error)

    def close_left_logs(self) -> None:
        """Closes logs whose broker ended with an earlier run of ours, or could not be closed so far."""
        for log in self.open_logs:
            if log != self.site.log:
                self._close(log, "its broker ended without a drain")

    def drain(self, hurry: Callable[[], bool]) -> None:
        """Stops everybody in order, each rank waited for. Once `hurry` says so nobody is waited for any more."""
        ranks = sorted({post.plan.stop_rank for post in self.posts})
        for place, rank in enumerate(ranks):
            group = [post for post in self._children() if post.plan.stop_rank == rank]
            rest = [p for p in self.posts if p.plan.stop_rank > rank and p.plan.if_it_dies == "restart"]
            for broker in (post for post in group if post.plan.if_it_dies == "new log" and post.child):
                self._close_before_end(broker)
            self._stop(group, rest, hurry)
            names = ", ".join(post.plan.text for post in group)
            self._tell("stopped", f"{names} stopped", done=place + 1, of=len(ranks))

    def _children(self) -> list[Post]:
        return [post for post in self.posts if post.child or post.state != "ready"]

    def _needs_met(self, post: Post) -> bool:
        return all(other.state == "ready" for other in self.posts if other.plan.name in post.plan.after)

    def _launch(self, post: Post) -> None:
        self._tell("starting", post.plan.text, post.plan.name, self._count_ready(), len(self.posts))
        post.since = time.monotonic()
        post.child, self.site = post.plan.launch(self.site)
        post.state = "starting"

    def _look(self, post: Post) -> None:
        site = post.plan.ready(self.site)
        if site is not None:
            self.site = post.plan.then(site)
            seconds = time.monotonic() - post.since
            post.up()
            text = f"{post.plan.text} ready in {seconds:.1f} s"
            self._tell("ready", text, post.plan.name, self._count_ready(), len(self.posts))
            return
        if post.child is None:
            return
        code = post.child.exit_code()
        if code is not None:
            raise ChildFailed(post.child, f"{describe_exit(code)} before it was ready")
        if time.monotonic() - post.since > post.plan.ready_within_s:
            raise ChildFailed(post.child, f"was not ready within {post.plan.ready_within_s:g} s")

    def _count_ready(self) -> int:
        return sum(post.state == "ready" for post in self.posts)

    def _lost(self, post: Post, error: NexusError) -> None:
        if post.child:
            kill(post.child)
        self._tell("died", str(error), post.plan.name)
        if post.plan.if_it_dies == "new log":
            self._replace_log(post)
        pause = post.rest()
        self._tell("note", f"{post.plan.text} is started again in {pause:g} s", post.plan.name)

    def _replace_log(self, broker: Post) -> None:
        """Acknowledged events that were not yet landed went with the broker: its log ends here.

        Those who worked on it are stopped first: the writer lands what it had already read.
        """
        dependents = [post for post in self.posts if broker.plan.name in post.plan.after and post.child]
        for post in sorted(dependents, key=lambda post: post.plan.stop_rank):
            self._stop([post], [], lambda: False)
            post.restarts += 1
        lost = self.site.log
        self.site = replace(self.site, broker="", log="")
        self._close(lost, "its broker died")

    def _close_before_end(self, broker: Post) -> None:
        """While it still answers: the ledger can ask for the ends of its partitions."""
        log = self.site.log
        if broker.child and broker.child.exit_code() is not None:
            self.site = replace(self.site, broker="")
            self._close(log, "its broker died")
        elif log:
            self._close(log, "drained")

    def _close(self, log: str, reason: str) -> None:
        try:
            lost = self._close_log(self.site, log, reason)
        except NexusError as error:
            self._tell(
                "died", f"log {log} could not be closed in the ledger, the next start does it: {error}"
            )
        else:
            self.open_logs.remove(log)
            self._tell(
                "lost" if lost else "note", lost or f"log {log} is closed ({reason}), nothing was lost"
            )

    def _stop(self, group: Sequence[Post], rest: Sequence[Post], hurry: Callable[[], bool]) -> None:
        """Signals all of a group, then waits for each up to its time; `rest` is kept alive meanwhile."""
        alive = [post for post in group if post.child and post.child.exit_code() is None]
        for post in alive:
            self._tell("stopping", f"{post.plan.text} ends what it has begun", post.plan.name)
            if post.child:
                post.child.process.send_signal(post.plan.stop_signal)
        began = time.monotonic()
        for post in alive:
            patience_s = post.plan.stop_within_s if post.state == "ready" else UNREADY_STOP_S
            while post.child and post.child.exit_code() is None:
                late = time.monotonic() - began > patience_s
                if late or hurry():
                    text = (
                        f"{post.plan.text} {'did not end in time' if late else 'is not waited for'}: killed"
                    )
                    self._tell("died" if late else "note", text, post.plan.name)
                    kill(post.child)
                    break
                self.heal_step(rest)
                time.sleep(0.01)
        for post in group:
            post.child, post.state = None, "waiting"
