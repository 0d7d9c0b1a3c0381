#!/usr/bin/env python3
"""Builds the gateway twice: first to see under load which of its code runs and how often, then with what was seen.

    vtc-bench/gateway/train.py [--seconds 10]

The load: chats answered whole and one stream, before the benchmark's fast pod; then the demo's traffic, which streams and
queues. The second build, target/trained/vtc-gateway, does the same as any other and is faster: the compiler lays out what
runs often close together (profile-guided optimisation). It takes as long as two release builds. Needs rustup, Debian's wrk
(installed with apt-get if it may) and rustc.
"""

import argparse
import os
import shutil
import signal
import subprocess

import bench

FOLDER = bench.ROOT / "target" / "trained"
DEMO = "127.0.0.1:9107"


def told(*words):
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()


def build(name, host, flags):
    """The host is named so that build scripts and macros are built as ever, without these flags."""
    folder = FOLDER / name
    subprocess.run(["cargo", "build", "--release", "-p", "vtc-gateway", "--target", host, "--target-dir", folder], check=True,
                   cwd=bench.ROOT, env={**os.environ, "RUSTFLAGS": flags})
    return folder / host / "release" / "vtc-gateway"


def load(gateway, seconds):
    """What it has seen, a gateway writes down when it ends."""
    processes = {target: bench.start(target, gateway) for target in ("direct", "gateway")}
    bench.wrk(bench.PORTS["gateway"], 1, bench.CONNECTIONS, seconds)
    bench.delays(bench.PORTS["gateway"])
    for process in reversed(processes.values()):
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
    subprocess.run([gateway, "demo", "--traffic", "--seconds", str(seconds), "--listen", DEMO], check=True,
                   stdout=subprocess.DEVNULL)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seconds", type=int, default=10, help="of each of the two loads")
    seconds = arguments.parse_args().seconds
    subprocess.run(["rustup", "component", "add", "llvm-tools"], check=True)
    bench.install(["direct", "gateway"])
    host = told("rustc", "--print", "host-tuple")
    seen, profile = FOLDER / "seen", FOLDER / "profile"
    shutil.rmtree(seen, ignore_errors=True)
    load(build("seeing", host, f"-Cprofile-generate={seen}"), seconds)
    tools = told("rustc", "--print", "target-libdir") + "/../bin"
    subprocess.run([f"{tools}/llvm-profdata", "merge", "-o", profile, *seen.glob("*.profraw")], check=True)
    shutil.copy2(build("built", host, f"-Cprofile-use={profile}"), FOLDER / "vtc-gateway")
    print(FOLDER / "vtc-gateway")


if __name__ == "__main__":
    main()
