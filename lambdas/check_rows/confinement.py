"""Checks an object in a child process under limits of memory and time, so that whatever it holds harms nobody else."""

import json
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict
from typing import IO

from adapters.ledger import Opened, Outcome
from lakehouse.envelope import RESOURCE
from lakehouse.errors import RuntimeFault
from lakehouse.row_check import CheckPlan
from lambdas.check_rows import frames
from lambdas.check_rows.bronze_file import SuspiciousObject
from lambdas.check_rows.limits import LIMITS, Limits
from lambdas.check_rows.outputs import Outputs, collect, write_rows, write_unreadable
from lambdas.check_rows.parquet_footer import UnreadableObject
from lambdas.check_rows.revision import Sink
from lambdas.check_rows.source import Source, WholeObject

# On a machine that is busy with other things a second of the processor takes longer than one of the clock.
_CLOCK_PER_CPU = 4


DEADLY = UnreadableObject("The process that read it ended for want of memory or time, or crashed.", RESOURCE)


class DeadlyObject(Exception):
    """The child came to its end by memory, time or a signal. Its limits are a machine's, so this needs a pin."""


def write_rows_confined(
    plan: CheckPlan,
    opened: Opened,
    source: Source,
    silver: Sink,
    quarantine: Sink,
    limits: Limits,
    environment: Mapping[str, str],
    clock_s: float,
) -> Outcome:
    """As `outputs.write_rows`, with the same bytes. UnreadableObject, DeadlyObject, or what `source` raises."""
    command = [sys.executable, "-m", "lambdas.check_rows.child"]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(environment))
    clock = threading.Timer(min(limits.child_cpu_s * _CLOCK_PER_CPU, clock_s), child.kill)
    clock.start()
    try:
        return _serve(child, _job(plan, opened, source, limits), source, silver, quarantine)
    except (EOFError, BrokenPipeError) as error:
        raise DeadlyObject(f"the child ended with {child.wait()}") from error
    finally:
        clock.cancel()
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            _close(pipe)


def make_outputs_within(
    plan: CheckPlan, opened: Opened, data: bytes, environment: Mapping[str, str], limits: Limits = LIMITS
) -> Outputs:
    """As `outputs.make_outputs`, with the same bytes; what is suspicious in a child, whose death is one row."""
    source = WholeObject(data)

    def confined(silver: Sink, quarantine: Sink) -> Outcome:
        return write_rows_confined(
            plan, opened, source, silver, quarantine, limits, environment, float("inf")
        )

    try:
        try:
            return collect(
                lambda silver, quarantine: write_rows(plan, opened, source, silver, quarantine, limits)
            )
        except (SuspiciousObject, MemoryError):
            return collect(confined)
    except (UnreadableObject, DeadlyObject) as error:
        why = error if isinstance(error, UnreadableObject) else DEADLY
        return collect(
            lambda silver, quarantine: write_unreadable(
                plan.entity, opened, len(data), why, silver, quarantine
            )
        )


def _job(plan: CheckPlan, opened: Opened, source: Source, limits: Limits) -> bytes:
    facts = {
        "opened": asdict(opened),
        "rules_hash": plan.entity.rules_hash,
        "size": source.size,
        "limits": asdict(limits),
    }
    return json.dumps(facts).encode()


def _serve(
    child: "subprocess.Popen[bytes]", job: bytes, source: Source, silver: Sink, quarantine: Sink
) -> Outcome:
    assert child.stdin is not None
    assert child.stdout is not None
    frames.send(child.stdin, frames.JOB, job)
    while True:
        kind, body = frames.receive(child.stdout)
        match kind:
            case frames.READ:
                frames.send(child.stdin, frames.DATA, source.read(*frames.RANGE.unpack(body)))
            case frames.SILVER:
                silver.write(body)
            case frames.QUARANTINE:
                quarantine.write(body)
            case frames.DONE:
                return Outcome(**json.loads(body))
            case frames.UNREADABLE:
                raise UnreadableObject(*json.loads(body))
            case frames.OUT_OF_MEMORY:
                raise DeadlyObject("the child ran out of memory")
            case _:
                raise RuntimeFault(
                    f"the check of {json.loads(job)['opened']['metadata']} failed in its process: {body.decode()}"
                )


def _close(pipe: IO[bytes] | None) -> None:
    """Without what was still to be sent to a process that is dead."""
    try:
        if pipe is not None:
            pipe.close()
    except BrokenPipeError:
        return
