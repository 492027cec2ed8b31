#!/usr/bin/python3
"""One address in front of two brokers, by the real HAProxy with the file that is shipped: haproxy_test.py PROGRAM

Exits with 77, which ctest counts as skipped, when HAProxy is not there.
"""
import json, os, pathlib, re, shutil, signal, socket, subprocess, sys, unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
from house import House, until

FILE = ROOT / "scripts/haproxy/pointsman.cfg"
HAPROXY = shutil.which("haproxy", path=os.environ.get("PATH", "") + ":/usr/sbin")


class OneAddress(unittest.TestCase):
    def setUp(self):
        self.house = House(PROGRAM)
        self.clients, self.workers = {}, {}  # where each broker listens, by its name
        self.addCleanup(self.house.close)

    def broker(self, name, *arguments):
        line = self.house.start(name, self.house.program, "broker", "--clients", "tcp://127.0.0.1:*",
                                "--workers", "tcp://127.0.0.1:*", *arguments)
        self.clients[name], self.workers[name] = re.search(r"clients=(\S+) workers=(\S+)", line).groups()

    def worker(self, name):
        """A worker at the broker of that name, which says it."""
        self.house.worker(f"worker-{name}", "--broker", self.workers[name], "--service", "where", "--", "echo", name)

    def haproxy(self, places):
        """Starts it as the shipped file has it, but in front of the listeners here; returns the one address, with a free port."""
        door = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(door.close)
        text = FILE.read_text().replace("maxconn 20000", "maxconn 200")  # as many as anybody may have
        for shipped, here in (("bind :5570", f"bind fd@{door.fileno()}"), ("192.0.2.1:5570", places["one"][6:]),
                              ("192.0.2.2:5570", places["two"][6:])):
            self.assertEqual(text.count(shipped), 1, shipped)
            text = text.replace(shipped, here)
        if os.geteuid() != 0:
            text = re.sub(r"^ *(user|group) .*\n", "", text, flags=re.M)
        config = pathlib.Path(self.house.folder, "haproxy.cfg")
        config.write_text(text)
        self.said = pathlib.Path(self.house.folder, "haproxy.log")
        with self.said.open("w") as said:
            self.house.running["haproxy"] = subprocess.Popen(
                [HAPROXY, "-db", "-f", config], pass_fds=[door.fileno()], start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said)
        return "tcp://127.0.0.1:%d" % door.getsockname()[1]

    def run_(self, *arguments):
        return subprocess.run([self.house.program, *arguments], env=self.house.environment, capture_output=True, text=True,
                              timeout=60)

    def call(self):
        """Which broker's worker a client gets."""
        result = self.run_("call", "where", "?", "--timeout", "30s", "--trace")
        self.assertEqual(result.returncode, 0, result.stderr + self.said.read_text())
        return result.stdout.strip()

    def signal(self, name, number):
        os.killpg(self.house.running[name].pid, number)

    def figures(self, name, subject, key):
        """The sum of a column of what a broker lists."""
        rows = self.house.link(self.clients[name]).ask({"op": "list", "of": subject}).get(subject, [])
        return sum(row.get(key, 0) for row in rows)

    def two_brokers(self, *arguments):
        for name in ("one", "two"):
            self.broker(name, *arguments)
            self.worker(name)
        self.house.environment["POINTSMAN_BROKER"] = self.haproxy(self.clients)

    def test_the_file_is_right_as_it_is_shipped(self):
        result = subprocess.run([HAPROXY, "-c", "-f", FILE], capture_output=True, text=True, timeout=60)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertNotIn("WARNING", result.stderr)

    def test_clients_go_to_the_brokers_in_sequence_and_to_the_other_one_when_one_is_killed(self):
        self.two_brokers()
        self.assertEqual({self.call(), self.call()}, {"one", "two"})
        self.signal("one", signal.SIGKILL)
        self.assertEqual({self.call() for _ in range(6)}, {"two"})

    def test_clients_that_are_there_go_to_the_other_broker_when_theirs_is_killed(self):
        self.two_brokers()
        load = subprocess.Popen([self.house.program, "load", "hand-offs", "--service", "where", "--broker",
                                 self.house.environment["POINTSMAN_BROKER"], "--rate", "50", "--duration", "3s", "--json"],
                                env=self.house.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(load.kill)
        until(lambda: self.figures("one", "services", "granted") > 5, 20, "some of them were served by the one")
        self.signal("one", signal.SIGKILL)
        output, _ = load.communicate(timeout=60)
        self.assertEqual(load.returncode, 0, output)
        account = json.loads(output)["account"]
        self.assertEqual((account["answered"], account["refused"], account["failed"]), (account["made"], {}, {}), output)

    def test_clients_are_sent_on_to_a_broker_that_is_below_all_of_these(self):
        for name in ("one", "two", "below"):
            self.broker(name)
        self.worker("below")
        self.house.start("uplink", self.house.program, "uplink", "--broker", self.clients["below"],
                         *(word for above in ("one", "two") for word in ("--above", self.workers[above])))
        for name in ("one", "two"):
            until(lambda: self.figures(name, "services", "workers"), 20, "the broker below is registered")
        self.house.environment["POINTSMAN_BROKER"] = self.haproxy(self.clients)
        self.assertEqual([self.call(), self.call()], ["below", "below"])
        self.assertEqual([self.figures(name, "services", "granted") for name in ("one", "two", "below")], [1, 1, 2])

    def test_a_worker_goes_to_the_other_broker_when_its_own_is_killed(self):
        self.broker("one"), self.broker("two")
        self.house.worker("wanders", "--broker", self.haproxy(self.workers), "--service", "where", "--", "echo")
        its, other = ("one", "two") if self.figures("one", "workers", "slots") else ("two", "one")
        self.assertFalse(self.figures(other, "workers", "slots"))
        self.signal(its, signal.SIGKILL)
        until(lambda: self.figures(other, "workers", "slots"), 30, "the worker is registered with the other broker")

    def test_a_broker_that_hangs_is_passed_over_and_comes_back(self):
        self.two_brokers()
        self.signal("one", signal.SIGSTOP)
        until(lambda: "pointsman/one is DOWN" in self.said.read_text(), 20, "two checks have failed")
        self.assertEqual({self.call() for _ in range(4)}, {"two"})
        self.signal("one", signal.SIGCONT)
        until(lambda: self.call() == "one", 20, "clients come to it again")

    def test_brokers_with_the_same_key(self):
        keys = pathlib.Path(self.house.folder)
        for name, role in (("broker", "peer"), ("ann", "client,worker")):
            subprocess.run([self.house.program, "keys", "make", keys / f"{name}.key"], check=True, capture_output=True)
            subprocess.run([self.house.program, "keys", "allow", "--allowed", keys / "allowed", name, keys / f"{name}.key.pub",
                            "--role", role], check=True, capture_output=True)
        self.house.environment.update(POINTSMAN_KEY=str(keys / "ann.key"), POINTSMAN_BROKER_KEY=str(keys / "broker.key.pub"))
        self.two_brokers("--key", keys / "broker.key", "--allowed", keys / "allowed")
        self.assertEqual({self.call(), self.call()}, {"one", "two"})


if __name__ == "__main__":
    PROGRAM = sys.argv[1]
    if not HAPROXY:
        print("skipped: no haproxy (scripts/setup)")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1], verbosity=2)
