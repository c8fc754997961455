"""What an instance type holds, where a setting must fit into it. Graviton only: the artifacts are built for it."""

import re

from lakehouse.errors import SettingsError

_GIB = {
    "micro": 1,
    "small": 2,
    "medium": 4,
    "large": 8,
    "xlarge": 16,
    "2xlarge": 32,
    "4xlarge": 64,
    "8xlarge": 128,
}
# memory for the same size: half in compute families, twice in memory families
_SHARE = {"c": 0.5, "m": 1.0, "t": 1.0, "r": 2.0}


def memory_gib(instance: str, setting: str) -> float:
    """Memory of t4g.small, c7g.large and their like; SettingsError for a type that is not known."""
    found = re.fullmatch(r"([cmtr])\d+g[a-z]*\.([a-z0-9]+)", instance)
    if not found or found[2] not in _GIB:
        raise SettingsError(
            f"{setting} is {instance}: give a Graviton type (t4g, c7g, m7g, r7g) of the size {', '.join(_GIB)}"
        )
    return _GIB[found[2]] * _SHARE[found[1]]
