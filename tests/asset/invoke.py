"""Lambda, as far as a handler sees it: `python -I invoke.py ASSET_FOLDER`, an event on stdin, the answer on stdout.

Beside the asset there is only what this Python was given: the managed layer's libraries. What its Arrow was built
without is taken away here: the S3 filesystem, and all codecs but snappy and gzip.
"""

import importlib.abc
import json
import sys
import time
from types import SimpleNamespace


class _NotInTheLayer(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):  # type: ignore[no-untyped-def]
        if name in ("pyarrow._s3fs", "pyarrow._gcsfs", "pyarrow._azurefs", "pyarrow._orc", "pyarrow._flight"):
            raise ImportError(name)


def main(asset: str) -> None:
    sys.meta_path.insert(0, _NotInTheLayer())  # type: ignore[no-untyped-call]
    sys.path.insert(0, asset)
    start = time.process_time()
    from lambdas.check_rows import handler

    seconds = time.process_time() - start
    import pyarrow

    real = pyarrow.Codec

    def codec(name, *arguments):  # type: ignore[no-untyped-def]
        if name not in ("snappy", "gzip"):
            raise pyarrow.ArrowNotImplementedError(f"Support for codec '{name}' not built")
        return real(name, *arguments)

    pyarrow.Codec = codec
    until = time.monotonic() + 300
    context = SimpleNamespace(
        function_name="check_rows",
        memory_limit_in_mb=1769,
        invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:check_rows",
        aws_request_id="1",
        get_remaining_time_in_millis=lambda: int((until - time.monotonic()) * 1000),
    )
    answer = handler.lambda_handler(json.load(sys.stdin), context)
    facts = {
        "import_s": seconds,
        "pyarrow": pyarrow.__version__,
        "modules": sorted({name.partition(".")[0] for name in sys.modules}),
    }
    print(json.dumps({"answer": answer, **facts}))


if __name__ == "__main__":
    main(sys.argv[1])
