#!/bin/sh
# What `make check` runs: every part, also after one has failed; the failed ones are named at the end.
# Arguments: the Python of .venv, then the folders of code.
set -u
python=$1
bin=$(dirname "$python")
shift
failed=

part() { # name, command...
    name=$1
    shift
    printf '%-16s' "$name"
    if said=$("$@" 2>&1); then
        echo ok
    else
        echo FAILED
        printf '%s\n\n' "$said"
        failed="$failed $name"
    fi
}

part format "$bin/ruff" format --check --output-format concise "$@"
part lint "$bin/ruff" check --output-format concise "$@"
part types "$bin/mypy"
part imports "$bin/lint-imports" --no-logo
part contracts "$python" -m local.generate --check
part protobuf "$python" -m grpc_ingest.proto.compile --check
part documents "$python" -m pytest tests/docs --ignore tests/docs/test_secrets.py
part secrets "$python" -m pytest tests/docs/test_secrets.py

if [ -n "$failed" ]; then
    echo "failed:$failed. \`make fix\` mends format and part of lint, \`make generate\` contracts and protobuf." >&2
    exit 1
fi
