#!/usr/bin/env python3
"""Loads the gateway, HAProxy, nginx, smg and vllm-router in turn, all before one fast pod on this machine.

    vtc-bench/gateway/bench.py [--rounds 5] [--seconds 5] [--only gateway,haproxy] [--gateway PATH]

Each round asks every target, in another order, three things: requests per second over 32 connections, and what processor
time one of them takes it; the median latency over one connection; and the delay of the events of a stream. Each is compared
with the others of the same round; printed are the median over rounds of what was measured and of the ratio, with the least
and the most. Needs Debian's haproxy, nginx and wrk (installed with apt-get if it may), rustc, and for the two routers PyPI.
"""

import argparse
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
FOLDER = ROOT / "target" / "gateway-bench"
VENV = FOLDER / "venv" / "bin"
ROUTERS = ["smg==1.13.0", "vllm-router==0.1.17"]
POD = 9100
PORTS = {"direct": POD, "gateway": 9101, "haproxy": 9102, "nginx": 9103, "smg": 9104, "vllm-router": 9105}
CONNECTIONS = 32
TICKS = os.sysconf("SC_CLK_TCK")


def install(targets):
    FOLDER.mkdir(parents=True, exist_ok=True)
    missing = [name for name in ("haproxy", "nginx", "wrk") if shutil.which(name, path=path()) is None]
    if missing:
        subprocess.run(["apt-get", "install", "-y", "-q", *missing], check=True, stdout=subprocess.DEVNULL)
    if {"smg", "vllm-router"} & set(targets) and not (VENV / "vllm-router").exists():
        subprocess.run([sys.executable, "-m", "venv", VENV.parent], check=True)
        subprocess.run([VENV / "pip", "install", "-q", *ROUTERS], check=True)
    subprocess.run(["rustc", "--edition=2024", "-O", "-o", FOLDER / "pod", HERE / "pod.rs"], check=True)


def path():
    return os.environ["PATH"] + ":/usr/sbin"


def fill(name, port):
    """A configuration with its ports put in."""
    text = (HERE / name).read_text()
    for key, value in {"port": port, "pod": POD, "folder": FOLDER}.items():
        text = text.replace("{%s}" % key, str(value))
    filled = FOLDER / name
    filled.write_text(text)
    return filled


def command(target, gateway):
    port, pod = PORTS[target], f"http://127.0.0.1:{POD}"
    match target:
        case "direct":
            return [FOLDER / "pod", str(POD)]
        case "gateway":
            return [gateway, "serve", "--listen", f"127.0.0.1:{port}", "--pod", f"a={pod}"]
        case "haproxy":
            return ["haproxy", "-db", "-f", fill("haproxy.cfg", port)]
        case "nginx":
            return ["nginx", "-p", FOLDER, "-c", fill("nginx.conf", port)]
        case "smg":
            return [VENV / "smg", "launch", "--worker-urls", pod, "--policy", "round_robin", "--host", "127.0.0.1",
                    "--port", str(port), "--prometheus-port", "9114", "--log-level", "error"]
        case "vllm-router":
            return [VENV / "vllm-router", "--worker-urls", pod, "--policy", "round_robin", "--host", "127.0.0.1",
                    "--port", str(port), "--prometheus-port", "9115", "--log-level", "error"]


def start(target, gateway):
    log = open(FOLDER / f"{target}.log", "w")
    environment = {**os.environ, "PATH": path(), "RUST_LOG": "error"}
    process = subprocess.Popen([str(part) for part in command(target, gateway)], stdout=log, stderr=log, env=environment,
                               start_new_session=True)
    until = time.monotonic() + 60
    while not answers(PORTS[target]):
        if process.poll() is not None or time.monotonic() > until:
            sys.exit(f"{target} does not answer: see {log.name}")
        time.sleep(0.1)
    return process


def answers(port):
    try:
        with ask(port, stream=False) as connection:
            return b" 200 " in connection.recv(4096).split(b"\r\n")[0]
    except OSError:
        return False


def ask(port, stream):
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x"}], "stream": stream})
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    connection.sendall(f"POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n"
                       f"user: alice\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode())
    return connection


def wrk(port, threads, connections, seconds):
    """Requests per second, and the median latency in microseconds."""
    told = subprocess.run(["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", HERE / "chat.lua",
                           f"http://127.0.0.1:{port}/v1/chat/completions"], check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in told or "Socket errors" in told:
        sys.exit(f"port {port} failed:\n{told}")
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", told)[1])
    number, unit = re.search(r"50%\s+([\d.]+)(us|ms|s)", told).groups()
    return rate, float(number) * {"us": 1, "ms": 1e3, "s": 1e6}[unit]


def processor(process):
    """Seconds of processor time that the process and its children have taken: their own, and the kernel's for them."""
    taken = [0, 0]
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for pid in [process.pid, *children]:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        taken = [before + int(ticks) / TICKS for before, ticks in zip(taken, fields[11:13])]
    return taken


def delays(port):
    """How long after they were sent the events of a stream came, in microseconds."""
    found, rest = [], b""
    with ask(port, stream=True) as connection:
        while b"[DONE]" not in rest:
            part = connection.recv(65536)
            now = time.time_ns()
            if not part:
                sys.exit(f"port {port} broke off its stream")
            rest += part
            *events, rest = rest.split(b"\n\n")
            for event in events:
                if sent := re.search(rb'"content":"(\d+)"', event):
                    found.append((now - int(sent[1])) / 1e3)
                elif b"[DONE]" in event:
                    return found
    return found


def measure(target, process, seconds):
    port = PORTS[target]
    before = processor(process)
    rate, _ = wrk(port, 1, CONNECTIONS, seconds)
    own, kernel = [1e6 * (after - before) / (rate * seconds) for before, after in zip(before, processor(process))]
    _, latency = wrk(port, 1, 1, max(1, seconds // 2))
    late = statistics.quantiles(delays(port), n=100)
    return {"rate": rate, "own": own, "kernel": kernel, "latency": latency, "chunk_median": late[49], "chunk_p99": late[98]}


def spread(values, digits=0):
    return f"{statistics.median(values):,.{digits}f} ({min(values):,.{digits}f} to {max(values):,.{digits}f})"


def report(rounds, targets):
    def of(target, what):
        return [each[target][what] for each in rounds]

    def less_direct(target, what):
        return [each[target][what] - each["direct"][what] for each in rounds]

    print(f"\n{len(rounds)} rounds; median (least to most)\n")
    print(f"| | requests/s, {CONNECTIONS} connections | its own time for one, us | the kernel's | added latency, us "
          "| added delay of an event, median us | p99 us |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for target in targets:
        added = [spread(less_direct(target, what)) for what in ("latency", "chunk_median", "chunk_p99")]
        if target == "direct":
            added = [spread(of(target, what)) + " in all" for what in ("latency", "chunk_median", "chunk_p99")]
        spent = [spread(of(target, what)) for what in ("rate", "own", "kernel")]
        print(f"| {target} | {' | '.join(spent + added)} |")
    if "gateway" in targets:
        print()
        for target in targets:
            if target not in ("direct", "gateway"):
                ratios = [each["gateway"]["rate"] / each[target]["rate"] for each in rounds]
                print(f"gateway / {target}: {spread(ratios, 2)} times the requests per second")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=int, default=5, help="of load per target and round")
    arguments.add_argument("--only", default=",".join(PORTS), help="these of " + ", ".join(PORTS))
    arguments.add_argument("--gateway", default=ROOT / "target" / "release" / "vtc-gateway")
    options = arguments.parse_args()
    wanted = options.only.split(",")
    targets = [target for target in PORTS if target == "direct" or target in wanted]
    install(targets)
    processes = {}
    try:
        for target in targets:
            processes[target] = start(target, options.gateway)
        for target in targets:
            wrk(PORTS[target], 1, CONNECTIONS, 1)
        rounds = []
        for number in range(options.rounds):
            order = targets[number % len(targets):] + targets[:number % len(targets)]
            rounds.append({target: measure(target, processes[target], options.seconds) for target in order})
            print(json.dumps(rounds[-1]), file=sys.stderr)
        report(rounds, targets)
    finally:
        for process in reversed(processes.values()):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


if __name__ == "__main__":
    main()
