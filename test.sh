#!/usr/bin/env bash
# Every check there is. Installs what it needs; on a bare machine that is Rust and this script.
set -euo pipefail
cd "$(dirname "$0")"

step() { printf '\n== %s (%d s)\n' "$1" "$SECONDS"; }

need() { # COMMAND PACKAGE: a program from the system's packages
    command -v "$1" >/dev/null && return
    step "installing $2"
    as_root=(); [ "$(id -u)" = 0 ] || as_root=(sudo)
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$2"
}

need cc build-essential
need curl curl
need python3 python3
need redis-server redis-server
need valgrind valgrind
cargo fmt --version >/dev/null 2>&1 || rustup component add rustfmt
cargo clippy --version >/dev/null 2>&1 || rustup component add clippy
# Nothing here is built twice.
export CARGO_INCREMENTAL="${CARGO_INCREMENTAL:-0}"
# Tests run in the folders of their crates.
[ -z "${VTC_TRACES:-}" ] || VTC_TRACES=$(realpath "$VTC_TRACES") && export VTC_TRACES

step "format"
cargo fmt --all --check

step "lints"
cargo clippy --workspace --all-targets --all-features -- -D warnings
RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR=target/loom cargo clippy -p loom-tests --all-targets -- -D warnings

step "a real engine for the gateway's tests"
vtc-gateway/tests/real_pods/setup.sh

step "a browser for the dashboard's tests"
vtc-gateway/tests/browser/setup.sh

step "tests"
# Each benchmark once too, so that none rots.
cargo test --workspace --all-features --all-targets
cargo test --workspace --all-features --doc

step "what is deployed: alerts, dashboard, unit"
vtc-gateway/deploy/check.sh

step "stress: random operations from all threads, then the laws"
# As the tests have them: optimised, with every assertion on.
cargo build --quiet --workspace --all-features --profile test --bins
built=target/debug
"$built/stress" --threads 2 --seconds 2
"$built/stress" --threads 4 --seconds 2 --users 200 --max-users 50 --skew uniform
"$built/stress" --threads 2 --seconds 1 --users 20 --staleness 0s
"$built/stress" --threads 16 --seconds 1 --users 3 --window 1ms --pods 1
# Sanitizers are unstable; the variable lets the stable compiler have them. Not optimised: that would take longer than it saves.
host=$(rustc -vV | sed -n 's/^host: //p')
RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address CARGO_TARGET_DIR=target/asan \
    cargo run --quiet --target "$host" -p vtc-bench --bin stress -- --threads 4 --seconds 2

step "the tables and pictures of RESULTS.md, to the digit"
vtc-bench/results.py check "$built"

step "soak: clients that leave, pods that die, connections that break; every token accounted for"
"$built/soak" --seconds 10 --idle 500
"$built/soak" --seconds 10 --idle 500 --queue vtc-fair

step "memory per user, and under a flood of invented names"
"$built/memory"

step "instructions of the hot path, against their baseline"
cargo run --quiet --profile quick -p vtc-bench --bin instructions -- check

step "loom models"
RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS="${LOOM_MAX_PREEMPTIONS:-3}" CARGO_TARGET_DIR=target/loom \
    cargo test -p loom-tests

step "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --all-features --no-deps

step "all checks passed"
