#!/bin/sh
# Finds a Python and hands over to setup.py: `sh local/setup.sh product|dev`. PYTHON=... chooses one by hand.
set -u
here=$(dirname "$0")

fits() { # a pyenv shim or a half-installed Python is found on PATH but does not run
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}
has_venv() { "$1" -c 'import venv, ensurepip' >/dev/null 2>&1; }

lame=
# 3.11 first: it is the version the tests run on
for python in ${PYTHON:-"$here/../.venv/bin/python" python3.11 python3.12 python3.13 python3.14 python3 python}; do
    fits "$python" || continue
    if has_venv "$python"; then
        exec "$python" "$here/setup.py" "$@"
    fi
    lame=$python
done

if [ -n "$lame" ]; then
    version=$("$lame" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    echo "$lame is here, but without its venv module. On Debian or Ubuntu: apt install python$version-venv" >&2
elif [ -n "${PYTHON:-}" ]; then
    echo "PYTHON=$PYTHON is not a Python of version 3.11 or newer that runs. Give another, or leave it out." >&2
else
    echo "No Python of version 3.11 or newer was found on PATH. Install one, or say where it is: make PYTHON=/path/to/python3 ..." >&2
fi
exit 1
