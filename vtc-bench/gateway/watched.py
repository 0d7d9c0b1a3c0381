#!/usr/bin/env python3
"""What it costs the gateway that somebody watches: the same load with and without a watcher of the live feed, in turn.

    vtc-bench/gateway/watched.py [--pairs 100] [--seconds 2] [--users 10000] [--rate 2000] [--page 20] [--gateway PATH]

One gateway before one fast pod that keeps its connections. First all users ask once, so that the gateway knows them. Then
slices of load follow each other, watched and not, the first of a pair in turn; in the watched ones a client reads
/v1/vtc/live, as a page does. Each pair is one ratio; printed is the median of the ratios with its 95 % interval, which wants
many pairs: a slice is off by a tenth as the machine pleases. There are two loads: at the rate that is asked for, where the
processor time per request is compared, and with as many requests as the gateway can serve, where these are compared. In the
end a browser opens the dashboard under the first load, and is asked how busy it is and how long a click takes. Needs rustc, and
Debian's wrk, chromium and npm (installed with apt-get if it may).
"""

import argparse
import http.client
import json
import math
import os
import signal
import statistics
import subprocess
import sys
import threading
import time

import bench


class Watcher(threading.Thread):
    """Reads the feed until it is told to stop, and notes when snapshots come and how long they are."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.came, self.sizes = [], []
        self.began = threading.Event()
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self.connection.request("GET", "/v1/vtc/live")
        self.answer = self.connection.getresponse()
        if self.answer.status != 200:
            sys.exit(f"the feed answers {self.answer.status}")
        self.start()
        # The first look is at everybody; a page takes it once.
        if not self.began.wait(10):
            sys.exit("no snapshot came")

    def run(self):
        try:
            while line := self.answer.readline():
                if line.startswith(b"data: "):
                    self.came.append(time.monotonic())
                    self.sizes.append(len(line))
                    self.began.set()
        except (OSError, ValueError, AttributeError):
            return

    def stop(self):
        self.connection.sock and self.connection.sock.shutdown(2)
        self.join()
        self.connection.close()


def load(port, options, rate, seconds):
    """Requests per second, the 99th percentile of their latencies in milliseconds."""
    connections = bench.CONNECTIONS
    rest = 1000 * connections / rate if rate else 0
    environment = {**os.environ, "USERS": str(options.users), "REST": f"{rest:.0f}"}
    told = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", bench.HERE / "users.lua",
                           f"http://127.0.0.1:{port}/v1/chat/completions"], check=True, capture_output=True, text=True,
                          env=environment).stdout
    if "Non-2xx" in told or "Socket errors" in told:
        sys.exit(f"the load failed:\n{told}")
    words = told.split()
    late = words[words.index("99%") + 1]
    for unit, factor in (("us", 1e-3), ("ms", 1), ("s", 1e3)):
        if late.endswith(unit):
            late = float(late[:-len(unit)]) * factor
            break
    return float(words[words.index("Requests/sec:") + 1]), late


def slice_of(process, port, options, rate, watched):
    watcher = Watcher(port) if watched else None
    before, since = sum(bench.processor(process)), time.monotonic()
    done, late = load(port, options, rate, options.seconds)
    spent, took = sum(bench.processor(process)) - before, time.monotonic() - since
    if watcher:
        watcher.stop()
        gaps = [b - a for a, b in zip(watcher.came, watcher.came[1:])]
        if len(gaps) < max(1, options.seconds - 2):
            sys.exit(f"{len(watcher.came)} snapshots came in {took:.1f} s")
        options.gaps += gaps
        options.sizes += watcher.sizes
    return {"rate": done, "late": late, "each": 1e6 * spent / (done * options.seconds)}


def pairs(process, port, options, rate):
    found = []
    for number in range(options.pairs):
        order = (True, False) if number % 2 else (False, True)
        pair = {watched: slice_of(process, port, options, rate, watched) for watched in order}
        print(f"{rate or 'as many as can be'}: {pair}", file=sys.stderr)
        found.append(pair)
    return found


def page_of(port, options):
    """What a browser that shows the dashboard meanwhile says of itself."""
    modules = bench.ROOT / "target" / "browser"
    subprocess.run([bench.ROOT / "vtc-gateway" / "tests" / "browser" / "setup.sh"], check=True)
    loaded = []
    loading = threading.Thread(target=lambda: loaded.append(load(port, options, options.rate, options.page + 10)), daemon=True)
    loading.start()
    told = subprocess.run(["node", bench.HERE / "page.mjs", f"http://127.0.0.1:{port}/", modules, str(options.page)], check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    loading.join()
    if not loaded:
        sys.exit("the load failed while the page was open")
    return json.loads(told)


def interval(values):
    """The median, and an interval that has that of all such values in it with a probability of at least 95 %: whatever their
    distribution, so many of them lie below their median as coins of so many show heads."""
    ordered, coins = sorted(values), len(values)
    outside, below = 0, 0.0
    while (below := below + math.comb(coins, outside) / 2**coins) <= 0.025:
        outside += 1
    if outside == 0:
        return f"{statistics.median(values):.3f} (too few pairs for an interval)"
    return f"{statistics.median(values):.3f} ({ordered[outside - 1]:.3f} to {ordered[-outside]:.3f})"


def show(name, found, key, unit, digits):
    of = {watched: [pair[watched][key] for pair in found] for watched in (False, True)}
    ratio = [pair[True][key] / pair[False][key] for pair in found]
    print(f"| {name} | {bench.spread(of[False], digits)} {unit} | {bench.spread(of[True], digits)} {unit} | {interval(ratio)} |")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--pairs", type=int, default=100)
    arguments.add_argument("--seconds", type=int, default=2, help="of each slice")
    arguments.add_argument("--users", type=int, default=10_000)
    arguments.add_argument("--rate", type=int, default=2000, help="requests per second of the first load")
    arguments.add_argument("--page", type=int, default=20, help="for how many seconds a browser looks; 0: none does")
    arguments.add_argument("--gateway", default=bench.ROOT / "target" / "release" / "vtc-gateway")
    options = arguments.parse_args()
    options.gaps, options.sizes = [], []
    bench.install(["gateway"])
    port, processes = bench.PORTS["gateway"], []
    try:
        processes += [bench.start("direct", options.gateway), bench.start("gateway", options.gateway)]
        gateway = processes[-1]
        # Each asks once.
        load(port, options, 0, max(2, options.users // 2000))
        paced = pairs(gateway, port, options, options.rate)
        full = pairs(gateway, port, options, 0)
        print(f"\n{options.users:,} users, {options.pairs} pairs of {options.seconds} s; median (least to most), "
              "of the ratios with its 95 % interval\n")
        print("| | nobody watches | watched | watched / not |\n| --- | --- | --- | --- |")
        show(f"{options.rate:,} requests/s: processor time of a request", paced, "each", "us", 1)
        show(f"{options.rate:,} requests/s: p99 latency", paced, "late", "ms", 2)
        show("as many as can be: requests/s", full, "rate", "", 0)
        show("as many as can be: processor time of a request", full, "each", "us", 1)
        print(f"\nA snapshot came every {bench.spread(options.gaps, 2)} s and had {bench.spread(options.sizes)} bytes.")
        if options.page:
            page = page_of(port, options)
            print(f"The page at {options.rate:,} requests/s was live after {page['live']:.0f} ms and showed {page['users']} users. "
                  f"It was busy for {100 * page['busy']:.1f} % of the time and had {len(page['longTasks'])} tasks of 50 ms or "
                  f"more in {options.page} s; a click was shown after {bench.spread(page['clicks'])} ms.")
    finally:
        for process in reversed(processes):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


if __name__ == "__main__":
    main()
