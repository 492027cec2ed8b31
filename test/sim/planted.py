#!/usr/bin/env python3
"""Plants bugs, one at a time, and lets the simulator find them.

    test/sim/planted.py BUILD [--jobs N] [--seeds N] [--only NAME]... [--table FILE]
    test/sim/planted.py --check

BUILD is a folder that ninja has built pointsman_sim in. For every bug of planted/bugs.toml a copy of its one source
is changed, compiled as the source was, and linked before everything else with the objects of pointsman_sim, so that it
takes the place of the right one. Nothing in the sources knows of this. Then seeds 1 to N (3000) run until one fails.
Most of the time goes to reading headers, so those of a folder are compiled once, before the bugs in it.

Prints a table: bug, the seed that found it, the invariant that failed, seconds. Exits with 0 only if every text was
there exactly once, every bug compiled, and every one was found. With --check it only looks whether the texts are there.
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

patience = 900  # seconds, for all seeds of one bug; they take about 20 on a machine with nothing else to do

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


class Wrong(Exception):
    """A bug that cannot be planted, or not be looked for."""


def mutation(bug):
    text = (ROOT / bug["file"]).read_text()
    times = text.count(bug["find"])
    if times != 1:
        raise Wrong(f"its text is {times} times in {bug['file']}, not once")
    if bug["find"] == bug["put"]:
        raise Wrong("it changes nothing")
    return text.replace(bug["find"], bug["put"])


def check(bugs):
    wrong = [f"{bug['name']}: twice" for bug in bugs if sum(other["name"] == bug["name"] for other in bugs) > 1]
    for bug in bugs:
        try:
            mutation(bug)
        except (Wrong, OSError) as why:
            wrong.append(f"{bug['name']}: {why}")
    print(*wrong, f"{len(bugs)} planted bugs, {len(wrong)} do not fit the sources", sep="\n")
    return 1 if wrong or not bugs else 0


def mutated(bug, folder):
    source = ROOT / bug["file"]
    copy = folder / source.name
    copy.write_text(mutation(bug))
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


def header_of(folder):
    return re.sub(r"\W", "_", folder) + ".hpp"


def precompile(folder, files, build, commands):
    """What the sources of a folder include, as one header that is compiled."""
    lines = sorted({line for file in files for line in (ROOT / file).read_text().splitlines()
                    if line.startswith("#include")})
    header = build / "planted" / header_of(folder)
    header.write_text("#pragma once\n" + "\n".join(lines) + "\n")
    source = ROOT / files[0]
    words = compile_command(commands, source, header, f"{header}.gch")
    subprocess.run(words[:1] + ["-x", "c++-header"] + words[1:], cwd=commands[str(source)]["directory"], check=True)


def link_command(build):
    commands = subprocess.run(["ninja", "-C", str(build), "-t", "commands", "pointsman_sim"], check=True,
                              capture_output=True, text=True).stdout.splitlines()
    words = shlex.split(commands[-1])
    # CMake wraps the link as `: && COMMAND && :`.
    words = words[words.index("&&") + 1:] if words[0] == ":" else words
    return (words[:words.index("&&")] if "&&" in words else words) + ["-s"]


def find(bug, build, commands, link, seeds):
    folder = build / "planted" / bug["name"]
    folder.mkdir(parents=True, exist_ok=True)
    copy = mutated(bug, folder)
    planted = folder / "planted.o"
    entry = commands[str(ROOT / bug["file"])]
    header = build / "planted" / header_of(str(pathlib.Path(bug["file"]).parent))
    words = compile_command(commands, ROOT / bug["file"], copy, planted)
    words[1:1] = ["-include", str(header)]
    done = subprocess.run(words, cwd=entry["directory"], capture_output=True, text=True)
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
                             capture_output=True, text=True, timeout=patience)
    except subprocess.TimeoutExpired:
        raise Wrong(f"{seeds} seeds take longer than {patience} s") from None
    finally:
        program.unlink()
    took = time.monotonic() - begun
    found = re.search(r"^seed (\d+): (I\d+): (.*)$", run.stdout, re.MULTILINE)
    if not found:
        return None, "", took
    return int(found[1]), f"{found[2]}: {found[3]}", took


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path, nargs="?")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=3000)
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--table", type=pathlib.Path)
    wish = parser.parse_args()
    with open(HERE / "planted" / "bugs.toml", "rb") as file:
        bugs = [bug for bug in tomllib.load(file)["bug"] if not wish.only or bug["name"] in wish.only]
    if wish.check:
        return check(bugs)
    if not wish.build:
        parser.error("which BUILD?")
    build = wish.build.resolve()
    commands = {entry["file"]: entry for entry in json.loads((build / "compile_commands.json").read_text())}
    link = link_command(build)

    def judge(bug):
        try:
            return bug, find(bug, build, commands, link, wish.seeds), None
        except Wrong as wrong:
            return bug, None, str(wrong)

    begun = time.monotonic()
    lines, missed = [], 0
    (build / "planted").mkdir(exist_ok=True)
    folders = {}
    for bug in bugs:
        folders.setdefault(str(pathlib.Path(bug["file"]).parent), {})[bug["file"]] = None
    with concurrent.futures.ThreadPoolExecutor(wish.jobs) as pool:
        list(pool.map(lambda folder: precompile(folder, list(folders[folder]), build, commands), folders))
    with concurrent.futures.ThreadPoolExecutor(wish.jobs) as pool:
        for bug, result, wrong in pool.map(judge, bugs):
            if wrong:
                line = f"{bug['name']:34} NOT TRIED: {wrong}"
            elif result[0] is None:
                line = f"{bug['name']:34} NOT FOUND in {wish.seeds} seeds, {result[2]:.1f} s"
            else:
                seed, what, took = result
                line = f"{bug['name']:34} {seed:5} {took:6.1f} s  {what[:110]}"
            missed += wrong is not None or result[0] is None
            lines.append(line)
            print(line, flush=True)
    for folder in folders:
        (build / "planted" / f"{header_of(folder)}.gch").unlink()  # large
    print(f"{len(bugs) - missed} of {len(bugs)} planted bugs found in {time.monotonic() - begun:.0f} s")
    if wish.table:
        wish.table.write_text(f"{'bug':34} {'seed':>5} {'took':>8}  what failed\n" + "\n".join(lines) + "\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
