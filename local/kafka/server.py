"""One broker of Apache Kafka as a child of `nexus up`: `python -m local.kafka.server --folder F --port-file P`.

Writes `host:port log` to the port file when it takes connections; SIGTERM ends broker and process. The broker keeps
what it acknowledged in the folder. Exit code 1 with the reason when it cannot start, or when the broker dies.
"""

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from lakehouse.errors import NexusError
from local.kafka.cluster import Cluster
from local.lake_store import write_whole
from local.processes import describe_exit


def main(argv: Sequence[str] | None = None) -> int:
    """Serves until SIGTERM or until the broker ends."""
    parser = argparse.ArgumentParser(prog="python -m local.kafka.server", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="the cluster's data, made on first use")
    parser.add_argument(
        "--port-file", type=Path, required=True, help="gets `host:port log` when all is ready"
    )
    arguments = parser.parse_args(argv)
    watched = {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD}
    signal.signal(
        signal.SIGCHLD, lambda _number, _frame: None
    )  # ignored by default, and then never waited for
    try:
        with Cluster(arguments.folder) as cluster:
            cluster.start()
            # only now: a broker would be started with them blocked. Until here SIGTERM ends us, and that ends it.
            signal.pthread_sigmask(signal.SIG_BLOCK, watched)
            write_whole(arguments.port_file, f"{cluster.bootstrap} {cluster.layout.log}\n")
            broker = cluster.child(1)
            while (code := broker.exit_code()) is None:
                if signal.sigwait(watched) != signal.SIGCHLD:
                    return 0
            print(f"Kafka {describe_exit(code)}:\n{broker.last_lines()}", file=sys.stderr)
            return 1
    except NexusError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        arguments.port_file.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
