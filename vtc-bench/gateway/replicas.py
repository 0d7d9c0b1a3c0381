#!/usr/bin/env python3
"""Two users of weight 4 and 1 at several gateways before the same pods: who is served how much, shared and not.

    vtc-bench/gateway/replicas.py [--seconds 60] [--gateway PATH]

Starts a redis-server, two pods of ten places each whose answers take as long as they have tokens, and gateways with the queue
vtc-fair. Each user has more requests than the pods have room for, at all times. Three scenes, one after the other: each user's
requests enter through one gateway of two; through three, at random; and the first again without Redis. Counted is the
usage that clients see in their answers, after five seconds to settle. Needs redis-server.
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PODS = [9201, 9202]
GATEWAYS = [9211, 9212, 9213]
REDIS = 9220
PLACES = 10
CLIENTS = 30
SETTLE = 5
TOKENS_PER_SECOND = 100


class Pod(BaseHTTPRequestHandler):
    """Answers with 50 to 150 tokens, each a hundredth of a second."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        found = self.path == "/v1/models"
        self.reply(200 if found else 404, {"object": "list", "data": [{"id": "m", "object": "model"}]} if found else {})

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        tokens = random.randint(50, 150)
        time.sleep(tokens / TOKENS_PER_SECOND)
        self.reply(200, {"id": "x", "object": "chat.completion", "model": "m", "choices": [],
                         "usage": {"prompt_tokens": 10, "completion_tokens": tokens, "total_tokens": 10 + tokens}})

    def reply(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Crowd(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


def settings(port, shared):
    pods = "".join(f'[[pods]]\nname = "{pod}"\nurl = "http://127.0.0.1:{pod}"\n' for pod in PODS)
    redis = f'[redis]\nurls = ["redis://127.0.0.1:{REDIS}"]\nname = "gateway-{port}"\n' if shared else ""
    return f"""listen = "127.0.0.1:{port}"
workers = 1
{pods}[queue]
discipline = "vtc-fair"
pod_max_running = {PLACES}
[queue.weights]
alice = 4.0
bob = 1.0
{redis}"""


def until(what, holds):
    end = time.monotonic() + 20
    while not holds():
        if time.monotonic() > end:
            sys.exit(f"{what}: not within 20 seconds")
        time.sleep(0.1)


def get(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as reply:
            return json.load(reply)
    except OSError:
        return {}


def scene(gateway, folder, seconds, ports, ways, shared):
    """Tokens by user. `ways`: the gateways that a user's requests enter through."""
    running = []
    for port in ports:
        file = folder / f"{port}.toml"
        file.write_text(settings(port, shared))
        command = [gateway, "serve", "--config", file, "--log-level", "error"]
        running.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))
    served, stop, counts, failures = Counter(), threading.Event(), threading.Event(), []

    def client(user):
        connections = {}
        while not stop.is_set():
            port = random.choice(ways[user])
            connection = connections.setdefault(port, HTTPConnection("127.0.0.1", port, timeout=60))
            body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x" * 40}]})
            connection.request("POST", "/v1/chat/completions", body, {"content-type": "application/json", "user": user})
            reply = connection.getresponse()
            text = reply.read()
            if reply.status != 200:
                failures.append(f"{user} got {reply.status}: {text!r}")
                return
            usage = json.loads(text)["usage"]
            if counts.is_set() and not stop.is_set():
                served[user] += usage["prompt_tokens"] + 2 * usage["completion_tokens"]

    try:
        for port in ports:
            until(f"gateway {port}", lambda: get(port, "/readyz").get("pods_ready") == len(PODS))
            if shared:
                known = lambda: get(port, "/v1/vtc/replica").get("others") == len(ports) - 1
                until(f"gateway {port} knows the others", known)
        threads = [threading.Thread(target=client, args=(user,), daemon=True) for user in ways for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        time.sleep(SETTLE)
        counts.set()
        time.sleep(seconds)
        stop.set()
        for thread in threads:
            thread.join(60)
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait()
    if failures:
        sys.exit("\n".join(failures))
    return served


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--gateway", default=ROOT / "target/release/vtc-gateway")
    asked = parser.parse_args()
    if shutil.which("redis-server") is None:
        sys.exit("redis-server is missing; on Debian: apt-get install redis-server")
    for port in PODS:
        threading.Thread(target=Crowd(("127.0.0.1", port), Pod).serve_forever, daemon=True).start()
    redis = subprocess.Popen(["redis-server", "--port", str(REDIS), "--save", "", "--appendonly", "no"],
                             stdout=subprocess.DEVNULL)
    two, three = GATEWAYS[:2], GATEWAYS
    apart = {"alice": two[:1], "bob": two[1:]}
    scenes = [
        ("two gateways, each user through its own", two, apart, True),
        ("three gateways, both users through any", three, {"alice": three, "bob": three}, True),
        ("two gateways that share nothing, each user through its own", two, apart, False),
    ]
    try:
        print(f"| {asked.seconds} s each; weights 4 and 1 | alice, tokens | bob, tokens | ratio |\n| --- | --- | --- | --- |")
        with tempfile.TemporaryDirectory() as folder:
            for name, ports, ways, shared in scenes:
                served = scene(asked.gateway, Path(folder), asked.seconds, ports, ways, shared)
                ratio = served["alice"] / max(1, served["bob"])
                print(f"| {name} | {served['alice']:,} | {served['bob']:,} | {ratio:.2f} |", flush=True)
    finally:
        redis.terminate()
        redis.wait()


if __name__ == "__main__":
    main()
