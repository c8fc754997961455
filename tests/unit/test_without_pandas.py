"""What a Lambda need not import, it does not."""

import subprocess
import sys
from pathlib import Path

_CONVERT = (
    "import sys, pyarrow as pa; assert pa.array(['a', None]).null_count; print('pandas' in sys.modules)"
)
_LEAVE_OUT = "from lambdas.check_rows.without_pandas import leave_out_pandas; leave_out_pandas(); "


def _run(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    return done.stdout.strip()


def test_arrow_converts_lists_without_pandas() -> None:
    assert _run(_CONVERT) == "True"  # else there would be nothing to leave out
    assert _run(_LEAVE_OUT + _CONVERT) == "False"
