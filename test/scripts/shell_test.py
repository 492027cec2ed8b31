#!/usr/bin/python3
"""The shell examples and scripts/spawn against the real program: shell_test.py PROGRAM."""
import os, pathlib, signal, subprocess, sys, unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
from house import House, until


class Shell(unittest.TestCase):
    def setUp(self):
        os.chdir(ROOT)
        self.house = House(PROGRAM)
        self.addCleanup(self.house.close)

    def run_(self, *command):
        return subprocess.run(command, env=self.house.environment, capture_output=True, text=True, timeout=60)

    def spawn(self, text):
        file = pathlib.Path(self.house.folder, "workers.toml")
        file.write_text(text)
        process = subprocess.Popen(["scripts/spawn", str(file)], env=self.house.environment, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.addCleanup(lambda: process.poll() is None and process.kill())
        return process

    def test_call(self):
        self.house.broker()
        result = self.run_("scripts/shell/call.sh")
        self.assertEqual(result.returncode, 0, result.stderr)
        for line in ("A TEXT", "A PIPE", "#!/BIN/SH", "exit code"):
            self.assertIn(line, result.stdout)

    def test_run(self):
        self.house.broker()
        result = self.run_("scripts/shell/run.sh")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("served by itself", result.stdout)

    def test_spawn_starts_a_set_of_workers_and_stops_them_all(self):
        self.house.broker()
        control = self.house.link()
        process = self.spawn(pathlib.Path("scripts/shell/shout.toml").read_text())

        def workers():
            return [row["services"][0] for row in control.ask({"op": "list", "of": "workers"}).get("workers", [])]
        until(lambda: sorted(workers()) == ["count", "shout", "shout"], 15, "three workers registered")
        result = self.run_(PROGRAM, "call", "shout", "hear me")
        self.assertEqual(result.stdout.strip(), "HEAR ME", result.stderr)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 0, output)
        self.assertIn("ready worker=", output)
        self.assertEqual(workers(), [])

    def test_spawn_reports_a_worker_that_ends(self):
        self.house.broker()
        process = self.spawn('[[worker]]\nservice = "a"\ncommand = ["cat"]\noptions = ["--no-such-option"]\n')
        output, _ = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 1)
        self.assertIn("ended with 2", output)

    def test_spawn_names_what_is_wrong_with_the_file(self):
        for text, reason in (("[[worker]", "line 1"), ("", "no [[worker]]"), ("[[worker]]\ncommand = ['cat']", "service is missing"),
                             ("[[worker]]\nservice = 3", "is no str"), ("[[worker]]\nsurface = 'a'", "is unknown"),
                             ("brooker = 'a'\n[[worker]]\nservice = 'a'\ncommand = ['cat']", "'brooker'")):
            output, _ = self.spawn(text).communicate(timeout=20)
            self.assertIn(reason, output)
        self.assertEqual(self.run_("scripts/spawn", "/no/such/file").returncode, 2)


if __name__ == "__main__":
    PROGRAM = sys.argv.pop()
    unittest.main(verbosity=2)
