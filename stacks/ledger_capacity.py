"""How many checks at once the ledger's PostgreSQL takes: each holds one connection while it runs."""

from lakehouse.errors import SettingsError
from stacks.instances import memory_gib
from stacks.settings import Settings

# RDS: max_connections is a byte of memory in 9,531,392; a quarter of the memory is not the database's to count.
_BYTES_PER_CONNECTION = 9_531_392
_USABLE = 0.75
# The sweep, DAGs, the migration, the canary, and people who look what is wrong.
_OTHERS = 20
# Behind the proxy a check needs a connection only for its transactions: two of some milliseconds in seconds of work.
_SHARED_BY = 4
_PROXY_SHARE = 0.8


def most_connections(instance: str) -> int:
    """What an RDS class such as t4g.micro takes; SettingsError for a size that is not known."""
    memory = memory_gib(instance, "database.instance") * 1024**3
    return min(5000, int(memory * _USABLE / _BYTES_PER_CONNECTION))


def most_checks(settings: Settings) -> int:
    """How many may run at once."""
    connections = most_connections(settings.database.instance)
    if settings.database.proxy:
        return int((connections * _PROXY_SHARE - _OTHERS) * _SHARED_BY)
    return connections - _OTHERS


def require_connections(settings: Settings) -> None:
    """SettingsError when more checks may run than the database takes connections."""
    wanted, most = settings.processing.concurrency, most_checks(settings)
    if wanted > most:
        raise SettingsError(
            f"{settings.environment}.processing.concurrency is {wanted}: {settings.database.instance} "
            f"{'behind its proxy ' if settings.database.proxy else ''}takes {most} checks at once; give fewer, or a "
            "larger database.instance"
        )
