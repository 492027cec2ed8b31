#!/usr/bin/python3
"""Shows that scripts/load-report writes a report with pictures, and says what went wrong: load_report_test.py PROGRAM"""
import os, pathlib, subprocess, sys, tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]


def report(*words, program):
    return subprocess.run([str(ROOT / "scripts/load-report"), *words], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=150, env={**os.environ, "POINTSMAN": program})


def main(program):
    with tempfile.TemporaryDirectory(prefix="pointsman-") as folder:
        done = report(folder, "--only", "hand-offs-open,faults-broker", program=program)
        print(done.stdout)
        assert done.returncode == 0, done.returncode
        text = pathlib.Path(folder, "report.md").read_text()
        print(text)
        for name in ("hand-offs-open", "faults-broker"):
            assert f"]({name}.svg)" in text and f"## {name}\n" in text
            assert pathlib.Path(folder, f"{name}.svg").read_text().startswith("<svg")
            assert pathlib.Path(folder, f"{name}.csv").exists() and pathlib.Path(folder, f"{name}.json").exists()
        assert text.count("| yes |") == 2 and "VIOLATED" not in text and "broker killed" in text

        unknown = report(folder, "--only", "nothing", program=program)
        assert unknown.returncode == 1 and "there is no load test nothing" in unknown.stdout
        missing = report(folder, program="/nowhere/pointsman")
        assert missing.returncode == 1 and "there is no /nowhere/pointsman" in missing.stdout
        broken = report(folder, "--only", "hand-offs-1", program="/bin/false")
        assert broken.returncode == 1 and "1 of 1 went wrong" in broken.stdout, broken.stdout


if __name__ == "__main__":
    main(sys.argv[1])
