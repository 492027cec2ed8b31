#!/usr/bin/python3
"""Clients where brokers are above brokers: tiers_test.py pointsman|python|node PROGRAM.

below.py registers one broker with another. Exits with 77, which ctest counts as skipped, when Node or its modules are not there.
"""
import os, pathlib, shutil, signal, subprocess, sys, unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
from house import House, until

CLIENTS = {"python": ["/usr/bin/python3", "scripts/python/client.py"], "node": ["node", "scripts/node/client.mjs"]}
TURN = ("--", "tr", "a-z", "n-za-m")


class Tiers(unittest.TestCase):
    def setUp(self):
        os.chdir(ROOT)
        self.house = House(PROGRAM)
        self.addCleanup(self.house.close)
        self.links = {}

    def broker(self, name, *arguments):
        endpoint = self.clients(name)
        self.house.start(name, PROGRAM, "broker", "--clients", endpoint, "--workers", endpoint + "-w", "--settle", "0", *arguments)
        self.links[name] = self.house.link(endpoint)

    def clients(self, name):
        return f"ipc://{self.house.folder}/{name}"

    def worker(self, broker, *command):
        self.house.worker(f"worker-{broker}", "--broker", self.clients(broker) + "-w", "--service", "turn", *command)

    def below(self, name, above, weight=1, key=""):
        """Registers the broker `name` with the broker `above`."""
        self.house.environment["POINTSMAN_WORKERS"] = self.clients(above) + "-w"
        self.house.start(f"{name}-below-{above}", ROOT / "test/scripts/below.py", "turn", self.clients(name), str(weight), key)

    def client(self, broker, *flags):
        self.house.environment["POINTSMAN_BROKER"] = self.clients(broker)
        return subprocess.run([*CLIENT, "turn", "uryyb", *flags], env=self.house.environment, capture_output=True, text=True,
                              timeout=60)

    def served(self, broker):
        result = self.client(broker)
        self.assertEqual((result.stdout, result.returncode), ("hello", 0), result.stderr)

    def refused(self, broker, code):
        """What a client says that is refused."""
        result = self.client(broker, *FLAGS)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn(code, result.stderr)
        return result.stderr

    def figures(self, broker, subject, key):
        return [row.get(key, 0) for row in self.links[broker].ask({"op": "list", "of": subject}).get(subject, [])]

    def granted(self, broker):
        """How many sessions this broker has granted."""
        return sum(self.figures(broker, "services", "granted"))

    def nothing_held(self):
        for broker in self.links:
            until(lambda: not self.figures(broker, "sessions", "session"), 10, f"no session is held at {broker}")

    def test_a_worker_that_is_registered_below_only_answers_and_the_pass_is_released(self):
        self.broker("above"), self.broker("below")
        self.below("below", "above"), self.worker("below", *TURN)
        self.served("above")
        self.assertEqual((self.granted("above"), self.granted("below")), (1, 1))
        self.nothing_held()
        until(lambda: self.figures("above", "workers", "completed") == [1], 10, "the pass was told to be over")

    def test_a_broker_that_pointsman_uplink_registered(self):
        self.broker("above"), self.broker("below"), self.worker("below", *TURN)
        self.house.start("uplink", PROGRAM, "uplink", "--broker", self.clients("below"), "--above", self.clients("above") + "-w")
        until(lambda: self.figures("above", "workers", "slots") == [1], 20, "it is registered with what its worker has")
        self.served("above")
        self.assertEqual((self.granted("above"), self.granted("below")), (1, 1))
        self.nothing_held()

    def test_a_broker_above_is_asked_for_those_below(self):
        self.broker("above"), self.broker("below"), self.worker("below", *TURN)
        self.below("below", "above")
        self.house.environment["POINTSMAN_BROKER"] = "lookup:" + self.clients("above")
        until(lambda: self.figures("above", "brokers", "broker"), 20, "it is registered")
        result = subprocess.run([*CLIENT, "turn", "uryyb"], env=self.house.environment, capture_output=True, text=True, timeout=60)
        self.assertEqual((result.stdout, result.returncode), ("hello", 0), result.stderr)
        self.assertEqual((self.granted("above"), self.granted("below")), (0, 1))

    def test_a_pass_is_kept_while_the_work_takes_longer_than_its_term(self):
        self.broker("above", "--session-term", "1s"), self.broker("below")
        self.below("below", "above"), self.worker("below", "--", "sh", "-c", "sleep 3; echo done")
        watcher = self.house.link(self.clients("above"))
        watcher.ask({"op": "watch", "kinds": ["closed"]})
        result = self.client("above")
        self.assertEqual((result.stdout, result.returncode), ("done\n", 0), result.stderr)
        event, _ = watcher.hear(10_000)
        self.assertEqual(event["detail"], "released")
        self.nothing_held()

    def test_another_broker_below_serves_where_one_is_dead_or_has_no_worker(self):
        for wrong in ("dead", "idle"):
            with self.subTest(wrong):
                above, good = f"above-{wrong}", f"good-{wrong}"
                self.broker(above), self.broker(good), self.broker(wrong)
                if wrong == "dead":
                    self.house.running[wrong].send_signal(signal.SIGKILL)
                    self.house.stop(wrong)
                    self.links.pop(wrong)
                self.below(wrong, above, weight=100), self.below(good, above), self.worker(good, *TURN)
                self.served(above)
                self.assertEqual((self.granted(above), self.granted(good)), (2, 1))
                self.nothing_held()

    def test_nobody_below_serves(self):
        self.broker("above"), self.broker("idle"), self.below("idle", "above")
        self.refused("above", "timed-out")  # above it waited for another one
        self.nothing_held()

    def test_brokers_that_send_each_other_what_they_are_asked(self):
        self.broker("one"), self.broker("two")
        self.below("one", "two"), self.below("two", "one")
        self.assertLess(self.refused("one", "loop").count("ipc:"), 4)  # one, two, and one again
        self.assertEqual((self.granted("one"), self.granted("two")), (1, 1))
        self.nothing_held()

    def test_four_brokers_are_gone_through_and_no_more(self):
        for place in range(1, 6):
            self.broker(f"broker{place}")
            if place > 1:
                self.below(f"broker{place}", f"broker{place - 1}")
        self.worker("broker5", *TURN)
        self.served("broker2")
        self.refused("broker1", "loop")
        self.assertEqual([self.granted(f"broker{place}") for place in range(1, 6)], [1, 2, 2, 2, 1])
        self.nothing_held()

    def test_brokers_and_workers_with_keys(self):
        keys, house = pathlib.Path(self.house.folder), self.house
        for name, role in (("ann", "client"), ("wes", "worker"), ("above", "peer"), ("below", "peer")):
            subprocess.run([house.program, "keys", "make", keys / f"{name}.key"], check=True, capture_output=True)
            subprocess.run([house.program, "keys", "allow", "--allowed", keys / "allowed", name, keys / f"{name}.key.pub",
                            "--role", role], check=True, capture_output=True)
        for name in ("above", "below"):
            self.broker(name, "--key", keys / f"{name}.key", "--allowed", keys / "allowed")
        public = next(line.split()[1] for line in (keys / "below.key.pub").read_text().splitlines() if line.startswith("public "))
        for name, start in (("above", lambda: self.below("below", "above", key=public)),
                            ("below", lambda: self.worker("below", *TURN))):
            house.environment.update(POINTSMAN_KEY=str(keys / "wes.key"), POINTSMAN_BROKER_KEY=str(keys / f"{name}.key.pub"))
            start()
        house.environment.update(POINTSMAN_KEY=str(keys / "ann.key"), POINTSMAN_BROKER_KEY=str(keys / "above.key.pub"))
        self.served("above")


if __name__ == "__main__":
    language, PROGRAM = sys.argv[1:]
    CLIENT, FLAGS = CLIENTS.get(language, [PROGRAM, "call"]), [] if language in CLIENTS else ["--json"]  # then errors have codes
    if language == "node":
        if not shutil.which("node") or not (ROOT / "scripts/node/node_modules").is_dir():
            print("skipped: no node, or no modules (scripts/setup --node)")
            sys.exit(77)
    unittest.main(argv=sys.argv[:1], verbosity=2)
