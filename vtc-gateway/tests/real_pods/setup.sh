#!/bin/sh
# Makes the Python environment of the tests with real pods: target/real-pods/venv, below the workspace's root. Does
# nothing if it is there and has what requirements.txt says. Takes some 300 MB.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
workspace=$(cd "$here/../../.." && pwd)
venv=$workspace/target/real-pods/venv
requirements=$here/requirements.txt
# A copy of the requirements: laid down last, so that a half-made environment is made anew.
stamp=$venv/installed.txt

if cmp -s "$requirements" "$stamp" && "$venv/bin/python" -c ''; then
    exit 0
fi

# Debian has Python's venv in a package of its own, which is what makes ensurepip importable.
if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        echo "setup.sh: Python with venv is missing; on Debian: apt-get install python3-venv" >&2
        exit 1
    fi
    apt-get update
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends python3-venv
fi

python3 -m venv --clear "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$requirements"
cp "$requirements" "$stamp"
