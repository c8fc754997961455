"""Keeps pandas out of a process: Arrow imports it with the first list it converts, and nothing of ours needs it."""

import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec


class _NoPandas(MetaPathFinder):
    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        if fullname == "pandas":
            raise ModuleNotFoundError(
                "pandas is left out: see lambdas/check_rows/without_pandas.py", name=fullname
            )
        return None


def leave_out_pandas() -> None:
    """From now on; the managed layer has it, and it would cost a cold start half a second and 40 MB."""
    if "pandas" not in sys.modules and not any(isinstance(finder, _NoPandas) for finder in sys.meta_path):
        sys.meta_path.insert(0, _NoPandas())
