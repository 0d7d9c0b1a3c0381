#!/usr/bin/env bash
# The files of this folder, each by the tool that will read it. Installs promtool if it is missing.
set -euo pipefail
cd "$(dirname "$0")"

if ! command -v promtool >/dev/null; then
    as_root=(); [ "$(id -u)" = 0 ] || as_root=(sudo)
    "${as_root[@]}" apt-get update -qq
    # The package starts a server, of which nothing but its tool is wanted.
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends prometheus
fi
promtool check rules alerts.yml
promtool test rules alerts_test.yml
python3 -m json.tool grafana.json >/dev/null

if command -v systemd-analyze >/dev/null; then
    # It wants to see the program: any that can be started stands for the gateway's.
    unit=$(mktemp -d)
    trap 'rm -r "$unit"' EXIT
    sed "s|/usr/local/bin/vtc-gateway|$(command -v true)|" vtc-gateway.service >"$unit/vtc-gateway.service"
    systemd-analyze verify --man=no "$unit/vtc-gateway.service"
    # Lower is better; a unit that is told nothing has some 9.6.
    systemd-analyze security --offline=true --threshold=20 "$unit/vtc-gateway.service" >/dev/null
fi
echo "deploy: sound"
