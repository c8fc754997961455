"""Names of CloudFormation in the form that some APIs want."""

from typing import Any


def with_small_letters(value: Any) -> Any:
    """`ApplicationName` as `applicationName`, at all depths; names of acronyms are not touched."""
    if isinstance(value, dict):
        return {_small(name): with_small_letters(one) for name, one in value.items()}
    if isinstance(value, list):
        return [with_small_letters(one) for one in value]
    return value


def _small(name: str) -> str:
    return name[:1].lower() + name[1:]
