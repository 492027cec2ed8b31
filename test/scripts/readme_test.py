#!/usr/bin/python3
"""Runs every command of the README: readme_test.py PROGRAM

A fenced block of README.md has a mark on the line before it, which says what this test does with it:
  <!-- run -->             runs it; every command must end with 0
  <!-- run: N -->          runs it; it must end with N
  <!-- file: NAME -->      writes it to NAME, for the commands that follow
  <!-- text -->            nothing: it is no command
  <!-- not here: WHY -->   nothing
All run in order in one shell, in a copy of the tree's outline where build/release is the build under test, with a
home of its own and a broker on no fixed port. What a line shows behind `# ->` must come out of its block.
"""
import os, pathlib, re, signal, subprocess, sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
from house import House

BLOCK = re.compile(r"^(?:<!-- (?P<mark>[^\n]*?) -->\n)?```\w*\n(?P<text>.*?)^```$", re.M | re.S)
BOUND = 120  # seconds


def outline(house):
    """A folder that looks like the project to the commands, and is not it."""
    folder = pathlib.Path(house.folder, "project")
    (folder / "build").mkdir(parents=True)
    (folder / "build/release").symlink_to(pathlib.Path(PROGRAM).resolve().parent)
    for name in ("scripts", "LICENSE"):
        (folder / name).symlink_to(ROOT / name)
    return folder


def script_of(folder):
    """The blocks as one shell script that announces each, and what each must print."""
    lines, expected = ["set -eu -o pipefail", "trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT"], []
    for number, found in enumerate(BLOCK.finditer((ROOT / "README.md").read_text())):
        mark, text = found["mark"] or "", found["text"]
        if mark.startswith("file: "):
            (folder / mark.removeprefix("file: ")).write_text(text)
        elif mark == "run":
            lines += [f"printf '\\n@@{number}\\n'", text]
        elif mark.startswith("run: "):
            lines += [f"printf '\\n@@{number}\\n'; state=0; (\n{text}) || state=$?; [ $state = {int(mark[5:])} ]"]
        elif not mark.startswith(("text", "not here: ")):
            sys.exit(f"README.md: a block without a mark, so nobody knows whether it works:\n{text}")
        expected += [(number, shown) for shown in re.findall(r"# -> (.*)$", text, re.M) if mark.startswith("run")]
    return "\n".join([*lines, "printf '\\n@@done\\n'"]), expected


def main():
    with House(PROGRAM) as house:
        folder = outline(house)
        script, expected = script_of(folder)
        environment = {**house.environment, "HOME": house.folder}
        process = subprocess.Popen(["/bin/bash", "-c", script], cwd=folder, env=environment, text=True,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   start_new_session=True)
        try:
            output, _ = process.communicate(timeout=BOUND)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output = process.communicate()[0] + f"\nreadme: not done after {BOUND} s"
    print(output)
    blocks = dict(re.findall(r"^@@(\w+)\n(.*?)(?=^@@|\Z)", output, re.M | re.S))
    wrong = [f"block {number} did not print: {shown}" for number, shown in expected
             if shown not in blocks.get(str(number), "")]
    if "done" not in blocks or process.returncode != 0:
        wrong.append(f"it stopped with {process.returncode} in the block after the last @@ above")
    print("\n".join(wrong) or f"readme: {len(blocks) - 1} blocks ran, {len(expected)} outputs as shown")
    return 1 if wrong else 0


if __name__ == "__main__":
    PROGRAM = sys.argv[1]
    sys.exit(main())
