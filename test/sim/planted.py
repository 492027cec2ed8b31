#!/usr/bin/env python3
"""Plants bugs, one at a time, and lets the simulator find them.

    test/sim/planted.py BUILD [--jobs N] [--seeds N] [--only NAME]... [--table FILE]

BUILD is a folder that ninja has built pointsman_sim in. For every bug of planted/bugs.toml a copy of its one source
is changed, compiled as the source was, and linked before everything else with the objects of pointsman_sim, so that it
takes the place of the right one. Nothing in the sources knows of this. Then seeds 1 to N (500) run until one fails.

Prints a table: bug, the seed that found it, the invariant that failed, seconds. Exits with 0 only if every text was
there exactly once, every bug compiled, and every one was found.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import time
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


class Wrong(Exception):
    """A bug that cannot be planted."""


def mutated(bug, folder):
    source = ROOT / bug["file"]
    text = source.read_text()
    times = text.count(bug["find"])
    if times != 1:
        raise Wrong(f"its text is {times} times in {bug['file']}, not once")
    copy = folder / source.name
    copy.write_text(text.replace(bug["find"], bug["put"]))
    return copy


def compile_command(commands, source, copy, target):
    words = shlex.split(commands[str(source)]["command"])
    words = [w for w in words if pathlib.Path(w).name != "ccache" and not w.startswith("-g")]
    words[words.index("-o") + 1] = str(target)
    words[words.index(str(source))] = str(copy)
    for option in ("-MF", "-MT"):
        at = words.index(option) if option in words else None
        if at is not None:
            del words[at:at + 2]
    return [w for w in words if w != "-MD"] + ["-O1", "-g0", "-Wno-error", "-w"]


def link_command(build):
    commands = subprocess.run(["ninja", "-C", str(build), "-t", "commands", "pointsman_sim"], check=True,
                              capture_output=True, text=True).stdout.splitlines()
    words = shlex.split(commands[-1])
    # CMake wraps the link as `: && COMMAND && :`.
    words = words[words.index("&&") + 1:] if words[0] == ":" else words
    return words[:words.index("&&")] if "&&" in words else words


def find(bug, build, commands, link, seeds):
    folder = build / "planted" / bug["name"]
    folder.mkdir(parents=True, exist_ok=True)
    copy = mutated(bug, folder)
    planted = folder / "planted.o"
    entry = commands[str(ROOT / bug["file"])]
    done = subprocess.run(compile_command(commands, ROOT / bug["file"], copy, planted), cwd=entry["directory"],
                          capture_output=True, text=True)
    if done.returncode != 0:
        raise Wrong("it does not compile: " + done.stderr.strip()[:400])
    program = folder / "sim"
    words = list(link)
    words[words.index("-o") + 1] = str(program)
    first = next(i for i, w in enumerate(words) if w.endswith(".o"))
    done = subprocess.run(words[:first] + [str(planted)] + words[first:], cwd=build, capture_output=True, text=True)
    if done.returncode != 0:
        raise Wrong("it does not link: " + done.stderr.strip()[:400])
    begun = time.monotonic()
    try:
        run = subprocess.run([str(program), "--seeds", f"1..{seeds}", "--most", "1", "--shrink", "0"],
                             capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired:
        run = None
    took = time.monotonic() - begun
    program.unlink()
    if run is None:
        return None, "", took
    found = re.search(r"^seed (\d+): (I\d+): (.*)$", run.stdout, re.MULTILINE)
    if not found:
        return None, "", took
    return int(found[1]), f"{found[2]}: {found[3]}", took


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=500)
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--table", type=pathlib.Path)
    wish = parser.parse_args()
    build = wish.build.resolve()
    with open(HERE / "planted" / "bugs.toml", "rb") as file:
        bugs = [bug for bug in tomllib.load(file)["bug"] if not wish.only or bug["name"] in wish.only]
    commands = {entry["file"]: entry for entry in json.loads((build / "compile_commands.json").read_text())}
    link = link_command(build)

    def judge(bug):
        try:
            return bug, find(bug, build, commands, link, wish.seeds), None
        except Wrong as wrong:
            return bug, None, str(wrong)

    begun = time.monotonic()
    lines, missed = [], 0
    with concurrent.futures.ThreadPoolExecutor(wish.jobs) as pool:
        for bug, result, wrong in pool.map(judge, bugs):
            if wrong:
                line = f"{bug['name']:34} NOT PLANTED: {wrong}"
            elif result[0] is None:
                line = f"{bug['name']:34} NOT FOUND in {wish.seeds} seeds, {result[2]:.1f} s"
            else:
                seed, what, took = result
                line = f"{bug['name']:34} {seed:5} {took:6.1f} s  {what[:110]}"
            missed += wrong is not None or result[0] is None
            lines.append(line)
            print(line, flush=True)
    print(f"{len(bugs) - missed} of {len(bugs)} planted bugs found in {time.monotonic() - begun:.0f} s")
    if wish.table:
        wish.table.write_text(f"{'bug':34} {'seed':>5} {'took':>8}  what failed\n" + "\n".join(lines) + "\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
