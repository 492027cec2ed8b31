#!/usr/bin/env python3
"""Counts the instructions of a fixed amount of work and compares them with those that are kept.

    instructions.py PROGRAM COMPILER BUILD_TYPE     compares; fails if anything costs more than 10 % more
    instructions.py --write PROGRAM COMPILER ...    keeps what it costs now

Counted by callgrind, and only what runs in PROGRAM itself: libraries choose their code (memcpy, BLAKE2b) by the
processor, so what they do would differ between machines. What is left is the same wherever the compiler is. The
allocations are counted by the program itself. Exits with 77, which ctest reports as skipped, where nothing can be
compared: without valgrind, or built otherwise than what is kept was.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

KEPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "instructions.txt")
MORE = 0.10


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)


def own_instructions(path, program):
    """The instructions of one dump that ran in the program's own object."""
    total, names, own, called = 0, {}, False, False
    with open(path) as lines:
        for line in lines:
            if line.startswith("ob="):
                number, name = re.match(r"ob=\((\d+)\)(?: (.*))?", line).groups()
                if name:
                    names[number] = name
                own = os.path.basename(names[number]) == os.path.basename(program)
            elif line.startswith("cob="):
                number, name = re.match(r"cob=\((\d+)\)(?: (.*))?", line).groups()
                if name:
                    names[number] = name
            elif line.startswith("calls="):
                called = True  # the next line is what was called, not what ran here
            elif line[0] in "0123456789+-*" and own:
                if not called:
                    total += int(line.split()[1])
                called = False
            elif line[0] in "0123456789+-*":
                called = False
    return total


def trigger(path):
    with open(path) as lines:
        for line in lines:
            if line.startswith("desc: Trigger:"):
                return line.strip()
    return ""


def count(program):
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out")
        run = subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", "--zero-before=begin_counting",
             "--dump-after=pointsman*work_*", "--error-exitcode=9", program],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=600)
        if run.returncode != 0:
            sys.exit(f"{program} failed under valgrind:\n{run.stderr[-2000:]}")
        # Each function ran twice: to warm up, and counted.
        dumps = sorted((name for name in os.listdir(folder) if re.fullmatch(r"out\.\d+", name)),
                       key=lambda name: int(name.split(".")[1]))
        dumps = [os.path.join(folder, name) for name in dumps]
        dumps = [path for path in dumps if "work_" in trigger(path)]
        figures = [line.split() for line in run.stdout.splitlines()]
        if len(dumps) != 2 * len(figures):
            sys.exit(f"{len(figures)} figures, but {len(dumps)} dumps of callgrind")
        return {name: (own_instructions(dumps[2 * i + 1], program) // int(times), int(allocations) / int(times))
                for i, (name, times, allocations) in enumerate(figures)}


def read_kept():
    compiler, figures = "", {}
    with open(KEPT) as lines:
        for line in lines:
            if line.startswith("# built by: "):
                compiler = line[len("# built by: "):].strip()
            elif line.strip() and not line.startswith("#"):
                name, instructions, allocations = line.split()
                figures[name] = (int(instructions), float(allocations))
    return compiler, figures


def write(figures, built):
    with open(KEPT, "w") as out:
        out.write("# What one piece of work costs: instructions of our own program, and allocations, both with those of\n"
                  "# whoever says the messages. Written by instructions.py --write, compared by `bench: instructions`.\n"
                  f"# built by: {built}\n")
        for name, (instructions, allocations) in figures.items():
            out.write(f"{name:36} {instructions:8d} {allocations:8.2f}\n")


def main():
    arguments = sys.argv[1:]
    writing = arguments[:1] == ["--write"]
    program, compiler, build_type, sanitize = (arguments[writing:] + [""])[:4]
    built = f"{compiler} {build_type}"
    if sanitize or build_type == "Debug":
        skip("the instructions of a Debug or sanitizer build say nothing")
    if not shutil.which("valgrind"):
        skip("valgrind is not installed; on Debian: apt-get install valgrind (or run scripts/setup)")
    if not writing:
        kept_built, kept = read_kept()
        if kept_built != built:
            skip(f"instructions.txt was counted with {kept_built}; this is {built}")
    now = count(program)
    if writing:
        write(now, built)
        print(f"written to {KEPT}")
        return
    print(f"{'':36} {'kept':>8} {'now':>8}        {'allocations':>12}")
    worse = set(kept) ^ set(now)
    for name, (instructions, allocations) in now.items():
        before, allocated = kept.get(name, (0, 0.0))
        more = instructions / before - 1 if before else 0
        print(f"{name:36} {before:8d} {instructions:8d} {more:+7.1%} {allocated:6.2f} {allocations:6.2f}")
        if more > MORE or allocations > allocated + 0.05:
            worse.add(name)
    if worse:
        print(f"\ncosts more than 10 % more, allocates more, or is not in both: {' '.join(sorted(worse))}\n"
              f"If that is meant: {os.path.relpath(__file__)} --write {' '.join(arguments)}")
        sys.exit(1)


main()
