#!/bin/sh
# Shell scripts pass shellcheck; Python compiles; what begins with #! can be run; no test has a name that hides it. Exits with 77, which ctest counts as skipped, without shellcheck.
set -eu
cd "$(dirname "$0")/../.."
PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 - <<'PYTHON'
import pathlib, re
for file in [*pathlib.Path("scripts").rglob("*.py"), pathlib.Path("scripts/spawn"), *pathlib.Path("test").rglob("*.py")]:
    if "node_modules" not in file.parts:
        compile(file.read_text(), file, "exec")
for file in [pathlib.Path(".ci/run"), *pathlib.Path("scripts").rglob("*")]:
    if file.is_file() and "node_modules" not in file.parts and file.read_bytes().startswith(b"#!"):
        assert file.stat().st_mode & 0o100, f"{file} begins with #! but cannot be run: chmod +x {file}"
# CMake takes what is before and after a semicolon for two tests, and neither runs anything.
for file in pathlib.Path("test").rglob("*.cpp"):
    for name in re.findall(r'TEST_CASE\(\s*((?:"[^"]*"\s*)+)', file.read_text()):
        assert ";" not in name, f"{file}: a semicolon in the name of a test: {name}"
PYTHON
command -v shellcheck >/dev/null || { echo "skipped: no shellcheck (scripts/setup --dev)"; exit 77; }
shellcheck scripts/setup scripts/demo scripts/peers scripts/test scripts/shell/*.sh .ci/run test/*/*.sh
