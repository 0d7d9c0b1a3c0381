#!/usr/bin/env python3
"""Runs every command of RESULTS.md and holds its tables and pictures against it, to the digit.

    vtc-bench/results.py check TOOLS    fails if a table or a picture is not what its command makes
    vtc-bench/results.py write TOOLS    writes them anew

A command is a ```sh block; what it prints is the ```text block behind it; the pictures that it draws into
target/results are kept in vtc-bench/results. TOOLS is the folder with vtc-bench's tools, as target/release. Commands that
read traces are left out, with a note, where VTC_TRACES does not say where those are.
"""

import os, pathlib, re, shutil, subprocess, sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "vtc-bench/RESULTS.md"
KEPT, DRAWN = ROOT / "vtc-bench/results", ROOT / "target/results"
BLOCK = re.compile(r"```sh\n(cargo run --release [^`]*?)```\n\n```text\n(.*?)```", re.S)
CARGO = re.compile(r"cargo run --release -p vtc-bench --bin (\w+) --")


def output_of(command: str, tools: str) -> str:
    """What it prints; the tools are built already, so cargo is not asked again."""
    direct = CARGO.sub(lambda match: f"{tools}/{match[1]}", command)
    return subprocess.run(direct, shell=True, cwd=ROOT, check=True, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL).stdout


def main(mode: str, tools: str) -> int:
    shutil.rmtree(DRAWN, ignore_errors=True)
    page, wrong, skipped = PAGE.read_text(), [], 0
    blocks = BLOCK.findall(page)
    for command, table in blocks:
        if "$VTC_TRACES" in command and not os.environ.get("VTC_TRACES"):
            skipped += 1
            continue
        made = output_of(command, tools)
        if made != table:
            wrong.append(command.strip())
            page = page.replace(f"```sh\n{command}```\n\n```text\n{table}```", f"```sh\n{command}```\n\n```text\n{made}```")
    for picture in sorted(re.findall(r"\]\(results/(\S+\.svg)\)", page)):
        kept, drawn = KEPT / picture, DRAWN / picture
        if not drawn.exists() and not os.environ.get("VTC_TRACES"):
            skipped += 1
        elif not drawn.exists():
            wrong.append(f"no command draws {picture}")
        elif not kept.exists() or kept.read_bytes() != drawn.read_bytes():
            wrong.append(f"the picture {picture}")
            if mode == "write":
                kept.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(drawn, kept)
    if mode == "write":
        PAGE.write_text(page)
    print(f"{len(blocks)} commands; {skipped} commands and pictures left out without VTC_TRACES")
    for what in wrong:
        print(f"{'written anew' if mode == 'write' else 'not what is made now'}: {what}")
    return 1 if wrong and mode == "check" else 0


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("check", "write"):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
