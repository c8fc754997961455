"""How this hop's settings read single variables. SettingsError names the variable and what it should hold."""

from collections.abc import Mapping
from pathlib import Path

from lakehouse.errors import LakeError, SettingsError
from lakehouse.paths import require_log_id

_BACKLOG = "NEXUS_BACKLOG_BYTES"
_BACKLOG_HELP = (
    "give bytes per partition, `embedded` for this process's share of the embedded broker, or 0 for none"
)


def need(environment: Mapping[str, str], name: str, what: str) -> str:
    """A variable that must be set."""
    value = environment.get(name)
    if not value:
        raise SettingsError(f"{name} is not set: give {what}")
    return value


def need_log(environment: Mapping[str, str]) -> str:
    """NEXUS_LOG."""
    log = need(environment, "NEXUS_LOG", "a short id for this incarnation of the topics")
    try:
        return require_log_id(log)
    except LakeError as error:
        raise SettingsError(f"NEXUS_LOG: {error}") from error


def read_path(environment: Mapping[str, str], name: str) -> Path | None:
    """A path, or None when the variable is unset or empty."""
    return Path(environment[name]) if environment.get(name) else None


def read_number(
    environment: Mapping[str, str], name: str, default: int, least: int, most: int, remedy: str = ""
) -> int:
    """A whole number within bounds."""
    text = environment.get(name) or str(default)
    if not (text.isascii() and text.isdecimal()) or not least <= int(text) <= most:
        raise SettingsError(f"{name} is {text!r}: {remedy or f'give a number from {least} to {most}'}")
    return int(text)


def read_port(environment: Mapping[str, str], name: str) -> int | None:
    """A port (0: any free one), or None when the variable is unset or empty."""
    return read_number(environment, name, 0, 0, 65_535) if environment.get(name) else None


def read_backlog(environment: Mapping[str, str], share: int) -> int:
    """NEXUS_BACKLOG_BYTES: `embedded` is `share`; 0 when unset."""
    if environment.get(_BACKLOG) == "embedded":
        return share
    return read_number(environment, _BACKLOG, 0, 0, 2**40, _BACKLOG_HELP)
