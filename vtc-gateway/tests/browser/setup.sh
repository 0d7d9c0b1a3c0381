#!/bin/sh
# Makes what the test of the dashboard needs: Chromium and Node from the system's packages, and playwright-core and axe-core in
# target/browser/node_modules, below the workspace's root. Does nothing if all of it is there.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
workspace=$(cd "$here/../../.." && pwd)
place=$workspace/target/browser
# A copy of what was asked for: laid down last, so that a half-made folder is made anew.
stamp=$place/installed.json

missing=
command -v chromium >/dev/null || missing="$missing chromium"
command -v node >/dev/null || missing="$missing nodejs"
command -v npm >/dev/null || missing="$missing npm"
if [ -n "$missing" ]; then
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        echo "setup.sh: missing:$missing; on Debian: apt-get install$missing" >&2
        exit 1
    fi
    apt-get update
    # shellcheck disable=SC2086 # several words
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends $missing
fi

cmp -s "$here/package.json" "$stamp" && exit 0
mkdir -p "$place"
cp "$here/package.json" "$place/package.json"
npm install --prefix "$place" --silent --no-audit --no-fund --no-package-lock
cp "$here/package.json" "$stamp"
