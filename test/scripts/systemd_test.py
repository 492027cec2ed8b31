#!/usr/bin/python3
"""systemd_test PROGRAM: the shipped units are what systemd takes, and shut as far as they say.

`systemd-analyze verify` must have nothing to say, and `security --offline` must not rate the exposure of any higher
than THRESHOLD (tenths; 100 is no protection at all). Both run without a systemd. Exit code 77: skipped, there is no
systemd-analyze here.
"""
import pathlib, shutil, subprocess, sys, tempfile

THRESHOLD = 20
UNITS = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "systemd"


def main():
    if not shutil.which("systemd-analyze"):
        print("systemd_test: skipped: there is no systemd-analyze here")
        return 77
    program = pathlib.Path(sys.argv[1]).resolve()
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        units = []
        for source in sorted(UNITS.glob("*.service.in")):
            name = source.name.removesuffix(".in").replace("@.", "@zip.")
            text = source.read_text().replace("@CMAKE_INSTALL_FULL_BINDIR@", str(program.parent))
            for word in ("Type=notify", "WatchdogSec=", "Restart=on-failure", "NoNewPrivileges=yes", "MemoryMax="):
                if word not in text:
                    print(f"{source.name}: lacks {word}")
                    failed += 1
            units.append(pathlib.Path(folder) / name)
            units[-1].write_text(text)
        if len(units) < 3:
            print("systemd_test: there are fewer units than three")
            failed += 1
        commands = [["systemd-analyze", "verify", "--man=no", *map(str, units)]]
        commands += [["systemd-analyze", "security", "--offline=true", f"--threshold={THRESHOLD}", str(unit)] for unit in units]
        for command in commands:
            done = subprocess.run(command, capture_output=True, text=True)
            complaint = done.stderr.strip() if "verify" in command else ""
            last = (done.stdout.strip().splitlines() or [""])[-1]
            print(" ".join(command[:3]), "->", done.returncode, last, complaint)
            failed += done.returncode != 0 or complaint != ""
        # The test can fail: a unit that is wide open is found, and so is a word that is none.
        (open_unit := pathlib.Path(folder) / "open.service").write_text("[Service]\nExecStart=/bin/true\nNonsense=1\n")
        verify = subprocess.run(["systemd-analyze", "verify", "--man=no", str(open_unit)], capture_output=True, text=True)
        rated = subprocess.run(["systemd-analyze", "security", "--offline=true", f"--threshold={THRESHOLD}", str(open_unit)],
                               capture_output=True, text=True)
        if "Nonsense" not in verify.stderr or rated.returncode == 0:
            print("systemd_test: what is planted is not found")
            failed += 1
    return 1 if failed else 0


sys.exit(main())
