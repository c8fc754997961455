"""The committed Python code is what protoc makes of the committed proto files."""

from pathlib import Path

import pytest

from grpc_ingest.proto.compile import compile_protos, main, read_protos
from lakehouse.errors import ContractError

ROOT = Path(__file__).parents[2]


def test_generated_code_is_fresh() -> None:
    assert main([str(ROOT), "--check"]) == 0


def test_generated_code_names_what_is_stale_and_mends_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in read_protos(ROOT).items():
        file = tmp_path / "grpc_ingest/proto" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    gone = tmp_path / "grpc_ingest/proto/gen/nexus/v1/gone_pb2.py"
    gone.parent.mkdir(parents=True)
    gone.write_text("")
    assert main([str(tmp_path), "--check"]) == 1
    told = capsys.readouterr().err
    assert "gone_pb2.py" in told
    assert "orders_pb2.py" in told
    assert main([str(tmp_path)]) == 0
    assert main([str(tmp_path), "--check"]) == 0
    assert not gone.exists()


def test_generated_code_imports_itself_as_part_of_the_product() -> None:
    made = compile_protos(read_protos(ROOT))
    text = "".join(made.values())
    assert "from nexus" not in text
    assert "from grpc_ingest.proto.gen.nexus.v1 import orders_pb2" in text


def test_proto_that_does_not_compile_is_an_error() -> None:
    with pytest.raises(ContractError, match="do not compile"):
        compile_protos({"nexus/v1/orders.proto": "message {"})
