"""The AWS of a rehearsal: moto on loopback, in memory, with our models of resources under its CloudFormation.

python -m local.rehearsal.server --folder F --port-file F/aws.port --ledger-url URL
"""

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from werkzeug.serving import make_server

from local import moto_hooks, object_events
from local.aws_server import FASTER, HOST, QuietHandler, create_service
from local.aws_setup import local_client
from local.lake_store import write_whole
from local.rehearsal import kafka_api, models, moto_gaps, only_an_account
from local.rehearsal.engine import Engine
from local.rehearsal.invocations import Invocations
from local.rehearsal.journal import JOURNAL, Journal
from local.rehearsal.wanted import ACCOUNT, Home, client_cache


def serve(folder: Path, port_file: Path, region: str, ledger_url: str) -> None:
    """Until SIGTERM or SIGINT."""
    app = DomainDispatcherApplication(create_service)
    server = make_server(HOST, 0, app, threaded=True, request_handler=QuietHandler)
    endpoint = f"http://localhost:{server.port}"
    journal = Journal(folder / JOURNAL)
    home = Home(
        client_cache(lambda service: local_client(service, endpoint, region)),
        journal.with_attribute,
        ACCOUNT,
        region,
        endpoint,
        folder,
        ledger_url,
    )
    models.load()
    kafka_api.install()
    moto_gaps.install()
    engine = Engine(home, journal)
    invocations = Invocations(home)
    moto_hooks.install((*engine.hooks(), *invocations.hooks(), *object_events.hooks(), *kafka_api.hooks()))
    moto_hooks.install((*moto_gaps.hooks(), *only_an_account.hooks(), FASTER))

    def stop(_signum: int, _frame: FrameType | None) -> None:
        threading.Thread(target=server.shutdown).start()  # it waits for this very thread otherwise

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    write_whole(port_file, f"{server.port}\n")
    server.serve_forever()
    server.server_close()
    invocations.close()


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0 after a signal."""
    parser = argparse.ArgumentParser(prog="python -m local.rehearsal.server", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--port-file", type=Path, required=True)
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--ledger-url", default="")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for quiet in ("werkzeug", "botocore"):
        logging.getLogger(quiet).setLevel(logging.WARNING)
    serve(args.folder, args.port_file, args.region, args.ledger_url)
    return 0


if __name__ == "__main__":
    sys.exit(main())
