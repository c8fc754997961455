"""A Python with what the managed layer of `stacks/layers.py` has, made by uv in build/."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Layer AWSSDKPandas-Python313, versions 15 and 16: awswrangler builds Arrow itself, from this source. boto3 is the
# runtime's. pandas is in the layer too, and nothing of ours may need it.
LIBRARIES = ("pyarrow==20.0.0", "numpy>=2,<3", "boto3")
PYTHON = "3.13"


def layer_python(folder: Path = ROOT / "build" / "layer") -> Path:
    """The interpreter; made anew when the list of libraries is another. Asks the package index the first time."""
    python, stamp, base = folder / "bin" / "python", folder / "libraries.txt", _interpreter()
    wanted = "\n".join((base, *LIBRARIES))
    if python.exists() and stamp.exists() and stamp.read_text("utf-8") == wanted:
        return python
    uv = ROOT / ".venv" / "bin" / "uv"
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    for command in (
        ["venv", "--quiet", "--clear", "--python", base, str(folder)],
        ["pip", "install", "--quiet", "--python", str(python), *LIBRARIES],
    ):
        subprocess.run([str(uv), *command], check=True, env=environment)
    stamp.write_text(wanted, "utf-8")
    return python


def _interpreter() -> str:
    """Lambda's Python where this machine has one, on its path or of pyenv; else the one that runs this."""
    installed = sorted(Path.home().glob(f".pyenv/versions/{PYTHON}.*/bin/python{PYTHON}"))
    for candidate in (f"python{PYTHON}", *map(str, installed)):
        try:
            subprocess.run([candidate, "-c", ""], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return candidate
    return sys.executable
