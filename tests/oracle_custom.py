"""What the oracle knows of custom kinds of rules: (args, value, value of another column) → whether the rule holds."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from lakehouse.rules.custom.zip_of_state import RANGES

Holds = Callable[[Mapping[str, Any], Any, Callable[[str], Any]], bool]


def _zip_of_state(args: Mapping[str, Any], value: str, value_of: Callable[[str], Any]) -> bool:
    state = value_of(args["state"])
    if state not in RANGES or not re.fullmatch("[0-9]{5}", value):
        return True
    return any(low <= int(value) <= high for low, high in RANGES[state])


CUSTOM: Mapping[str, Holds] = {"zip_of_state": _zip_of_state}
