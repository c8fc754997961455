"""What the harness sets in its own process."""

import os


def fork_without_grpc() -> None:
    """Keeps gRPC's fork handlers off: brokers are forked while the shop sends, and the handlers end such a child.

    To be called before gRPC is imported.
    """
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
