"""Proto files → the Python code committed in `proto/gen/`: `python -m grpc_ingest.proto.compile [root] [--check]`.

Needs grpcio-tools (a development dependency); nothing at run time imports this module.
"""

import re
import sys
import tempfile
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from lakehouse.errors import ContractError

PROTO = Path("grpc_ingest/proto")
GENERATED = PROTO / "gen"
# protoc writes imports as if the output folder were a root of its own; ours is a package inside the product.
_IMPORT = re.compile(r"^from nexus(?=[. ])", re.MULTILINE)
_PACKAGE = ".".join(GENERATED.parts)


def compile_protos(sources: Mapping[str, str]) -> dict[Path, str]:
    """Path below the repository → text of every generated Python file.

    Args:
        sources: proto file by its import path, such as `nexus/v1/orders.proto`; all that they import must be there.
    """
    from grpc_tools import protoc  # type: ignore[import-untyped]

    with tempfile.TemporaryDirectory() as place:
        given, made = Path(place, "in"), Path(place, "out")
        made.mkdir()
        for name, text in sources.items():
            (given / name).parent.mkdir(parents=True, exist_ok=True)
            (given / name).write_text(text, "utf-8")
        google = resources.files("grpc_tools") / "_proto"
        arguments = ["protoc", f"-I{given}", f"-I{google}", f"--python_out={made}", f"--pyi_out={made}"]
        if protoc.main([*arguments, *sorted(sources)]) != 0:
            raise ContractError(str(PROTO), "protoc", "the files do not compile", "See the lines above")
        return {
            GENERATED / file.relative_to(made): _IMPORT.sub(f"from {_PACKAGE}.nexus", file.read_text("utf-8"))
            for file in sorted(made.rglob("*.py*"))
        }


def read_protos(root: Path) -> dict[str, str]:
    """Every proto file of a tree by its import path."""
    files = sorted((root / PROTO / "nexus").rglob("*.proto"))
    return {file.relative_to(root / PROTO).as_posix(): file.read_text("utf-8") for file in files}


def main(arguments: list[str]) -> int:
    """0 when all is written (or, with --check, fresh); 1 names what is stale."""
    root = Path(next((a for a in arguments if not a.startswith("--")), "."))
    written = compile_protos(read_protos(root))
    kept = {f.relative_to(root) for f in (root / GENERATED).rglob("*_pb2.py*")}
    stale = [p for p, text in written.items() if p not in kept or (root / p).read_text("utf-8") != text]
    if "--check" in arguments:
        for path in (*stale, *sorted(kept - written.keys())):
            print(f"{path} is not what the proto files say: run `make generate`", file=sys.stderr)
        return 1 if stale or kept - written.keys() else 0
    for path in kept - written.keys():
        (root / path).unlink()
    for path in stale:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(written[path], "utf-8")
        print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
