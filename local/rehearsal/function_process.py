"""A function's process, as Lambda has one: its package first on the path, then what runtime and layers bring.

Run by path with `python -I -S`, so that nothing of this repository or of what is installed here can be imported unless
it was deployed, or listed. Events come as lines of JSON on stdin, answers go as lines of JSON to the descriptor that is
its argument; what the function prints goes to its log. The first line says where everything is.
"""

import importlib
import json
import os
import signal
import sys
import time
import traceback
import uuid
from collections.abc import Callable
from typing import Any


class Context:
    """What a function is told of itself."""

    def __init__(self, about: dict[str, Any]) -> None:
        self.function_name = about["name"]
        self.function_version = "$LATEST"
        self.invoked_function_arn = about["arn"]
        self.memory_limit_in_mb = about["memory"]
        self.aws_request_id = str(uuid.uuid4())
        self._ends = time.monotonic() + about["timeout"]

    def get_remaining_time_in_millis(self) -> int:
        """Until the function is ended."""
        return max(0, int((self._ends - time.monotonic()) * 1000))


def call(handler: Callable[[Any, Context], Any], line: str, about: dict[str, Any]) -> dict[str, Any]:
    """What it answers, or how it failed."""
    signal.alarm(about["timeout"])  # SIGALRM ends the process, as the end of its time does on AWS
    try:
        return {"answer": handler(json.loads(line), Context(about))}
    except Exception as error:  # noqa: BLE001 - the outermost of a function
        traceback.print_exc()
        return {"error": f"{type(error).__name__}: {error}"}
    finally:
        signal.alarm(0)


def main() -> None:
    """Until stdin ends."""
    about = json.loads(sys.stdin.readline())
    sys.path[:0] = about["path"]
    os.chdir(about["path"][0])
    module, name = about["handler"].rsplit(".", 1)
    handler = getattr(importlib.import_module(module), name)
    with os.fdopen(int(sys.argv[1]), "w", encoding="utf-8") as answers:
        for line in sys.stdin:
            answers.write(json.dumps(call(handler, line, about)) + "\n")
            answers.flush()


if __name__ == "__main__":
    main()
