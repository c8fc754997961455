"""Builds the layers that functions of ours bring along: `python -m local.layer [folder]`.

A layer holds locked libraries with native code, for Lambda's Python and processor, under `python/`, where Lambda looks.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

from lakehouse.errors import InputError, NexusError
from local.assets import BUILT, LOCK, ROOT, Built, build_zip, read_stamps, write_stamps
from local.lock_file import needed_by, read_lock
from local.wheels import Fetch, Machine, fetch_libraries, lock_text

# Python 3.13 of Lambda runs on Amazon Linux 2023, whose C library is 2.34: wheels for 2.28 or older run there.
LAMBDA = Machine(python="3.13", full_python="3.13.0", platform="aarch64-manylinux_2_28")
LAYERS: Mapping[str, tuple[str, ...]] = {"grpc-layer": ("grpcio", "protobuf")}
# Unpacked. Lambda takes 250 MB in all, of which the managed layer has 204 and a package of ours 6; this one had 19.
MOST_MB = 24
_STAMP = "layers.json"


def build_layers(to: Path = BUILT, root: Path = ROOT, fetch: Fetch | None = None) -> list[Built]:
    """Zips of all layers, by name. `fetch` gives the files of libraries by path for the text of a lock."""
    to.mkdir(parents=True, exist_ok=True)
    lock = read_lock((root / LOCK).read_text("utf-8"))
    stamps = read_stamps(to / _STAMP)
    built = []
    for name, libraries in LAYERS.items():
        wanted = lock_text(needed_by(lock, libraries, LAMBDA.markers))
        files = {f"python/{file}": content for file, content in (fetch or _fetch)(wanted).items()}
        size_mb = sum(map(len, files.values())) / 1e6
        if size_mb > MOST_MB:
            raise InputError(
                f"{name} would be {size_mb:.0f} MB unpacked, of the {MOST_MB} that fit beside the managed layer: "
                "see what has grown, and leave it out"
            )
        built.append(build_zip(to / f"{name}.zip", files, stamps.get(name, {})))
    write_stamps(to / _STAMP, built)
    return built


def _fetch(lock: str) -> Mapping[str, bytes]:
    return fetch_libraries(lock, LAMBDA)


def main(arguments: list[str]) -> None:
    """Builds and prints one line per layer."""
    for one in build_layers(Path(arguments[0]) if arguments else BUILT):
        print(one)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except NexusError as error:
        sys.exit(str(error))
