#!/usr/bin/python3
"""The scripts in other languages against the real program: languages_test.py python|node PROGRAM.

Each language's client meets the side car, each language's worker meets `pointsman call`, and both meet each other.
Exits with 77, which ctest counts as skipped, when Node or its modules are not there.
"""
import os, pathlib, shutil, signal, subprocess, sys, unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
from house import House, until

COMMANDS = {
    "python": (["/usr/bin/python3", "scripts/python/client.py"], ["/usr/bin/python3", "scripts/python/worker.py"], str.upper),
    "node": (["node", "scripts/node/client.mjs"], ["node", "scripts/node/worker.mjs"], lambda text: text[::-1]),
}


class Scripts(unittest.TestCase):
    def setUp(self):
        os.chdir(ROOT)
        self.house = House(PROGRAM)
        self.addCleanup(self.house.close)
        self.house.broker()
        self.control = self.house.link()

    def run_(self, *command):
        return subprocess.run(command, env=self.house.environment, capture_output=True, text=True, timeout=30)

    def figures(self, subject, key):
        rows = self.control.ask({"op": "list", "of": subject}).get(subject, [])
        return [row.get(key, 0) for row in rows]

    def nothing_held(self):
        until(lambda: not any(self.figures("services", "used")), 10, "no session is held any more")

    def test_the_client_is_served_by_a_program_behind_the_side_car(self):
        self.house.worker("tr", "--service", "turn", "--", "tr", "a-z", "n-za-m")
        result = self.run_(*CLIENT, "turn", "uryyb")
        self.assertEqual((result.stdout.strip(), result.returncode), ("hello", 0), result.stderr)
        self.nothing_held()

    def test_the_client_says_why_it_was_refused(self):
        result = self.run_(*CLIENT, "nobody", "hello")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("unknown-service", result.stderr)

    def test_the_worker_serves_the_command_line(self):
        self.house.start("worker", *WORKER, "change")
        for text in ("one", "two", "three"):
            result = self.run_(self.house.program, "call", "change", text)
            self.assertEqual((result.stdout.strip(), result.returncode), (CHANGED(text), 0), result.stderr)
        self.nothing_held()
        until(lambda: self.figures("workers", "completed") == [3], 10, "three completed sessions told by heartbeat")

    def test_client_and_worker_meet(self):
        self.house.start("worker", *WORKER, "change", "2")
        result = self.run_(*CLIENT, "change", "a b c")
        self.assertEqual((result.stdout, result.returncode), (CHANGED("a b c"), 0), result.stderr)

    def test_the_worker_takes_no_ticket_but_a_good_one(self):
        self.house.start("worker", *WORKER, "change")
        grant = self.control.ask({"op": "request", "id": "1", "service": "change"})
        worker = self.house.link(grant["endpoint"])
        forged = bytearray(grant["ticket"])
        forged[30] ^= 1
        call = {"op": "call", "session": grant["session"], "number": 1}
        for ticket, code in ((bytes(forged), "forged-ticket"), (b"short", "bad-ticket"), (None, "unknown-session")):
            worker.tell({**call, **({"ticket": ticket} if ticket else {})}, b"x")
            answer, _ = worker.hear(5000)
            self.assertEqual((answer["op"], answer["code"]), ("refused", code), answer)
        worker.tell({**call, "ticket": grant["ticket"]}, b"good")
        answer, payload = worker.hear(5000)
        self.assertEqual((answer["op"], payload), ("reply", [CHANGED("good").encode()]))
        self.assertEqual(worker.ask({"op": "release", "session": grant["session"]})["op"], "released")
        worker.tell({**call, "ticket": grant["ticket"]}, b"again")
        answer, _ = worker.hear(5000)
        self.assertEqual((answer["op"], answer["code"]), ("refused", "used-ticket"))
        self.nothing_held()

    def test_the_worker_answers_garbage(self):
        endpoint = dict(word.split("=", 1) for word in self.house.start("worker", *WORKER, "change").split()[1:])["endpoint"]
        link = self.house.link(endpoint)
        for garbage in (b"\xc1", b"{", b"\x80", b""):
            link.socket.send_multipart([b"", garbage])
            answer, _ = link.hear(5000)
            self.assertEqual((answer["op"], answer["code"]), ("refused", "bad-message"), garbage)
        self.assertEqual(self.run_(*CLIENT, "change", "still here").returncode, 0)

    def test_the_worker_comes_back_to_a_new_broker_with_its_open_session(self):
        self.house.start("worker", *WORKER, "change")
        grant = self.control.ask({"op": "request", "id": "1", "service": "change"})
        worker = self.house.link(grant["endpoint"])
        worker.ask({"op": "open", "ticket": grant["ticket"]})
        self.house.running["broker"].send_signal(signal.SIGKILL)
        self.house.stop("broker")
        self.house.broker()
        self.control = self.house.link()
        until(lambda: self.figures("sessions", "session") == [grant["session"]], 30, "the new broker knows the session")
        worker.tell({"op": "call", "session": grant["session"], "number": 1}, b"on")
        _, payload = worker.hear(5000)
        self.assertEqual(payload, [CHANGED("on").encode()])
        worker.ask({"op": "release", "session": grant["session"]})
        self.nothing_held()

    def test_client_and_worker_speak_with_keys(self):
        keys, house = pathlib.Path(self.house.folder), self.house
        for name, role in (("broker", "peer"), ("ann", "client"), ("wes", "worker"), ("eve", "worker")):
            subprocess.run([house.program, "keys", "make", keys / f"{name}.key"], check=True, capture_output=True)
            subprocess.run([house.program, "keys", "allow", "--allowed", keys / "allowed", name,
                            keys / f"{name}.key.pub", "--role", role], check=True, capture_output=True)
        house.stop("broker")
        house.start("broker", house.program, "broker", "--key", keys / "broker.key", "--allowed", keys / "allowed")
        house.environment["POINTSMAN_BROKER_KEY"] = str(keys / "broker.key.pub")
        house.environment["POINTSMAN_KEY"] = str(keys / "wes.key")
        house.start("worker", *WORKER, "change")
        house.worker("tr", "--service", "turn", "--", "tr", "a-z", "n-za-m")
        house.environment["POINTSMAN_KEY"] = str(keys / "ann.key")
        for command, answer in (([*CLIENT, "change", "abc"], CHANGED("abc")), ([*CLIENT, "turn", "abc"], "nop"),
                                ([house.program, "call", "change", "abc"], CHANGED("abc"))):
            result = self.run_(*command)
            self.assertEqual((result.stdout.strip(), result.returncode), (answer, 0), result.stderr)
        house.environment["POINTSMAN_KEY"] = str(keys / "eve.key")  # not a client's
        self.assertNotEqual(self.run_(*CLIENT, "change", "abc").returncode, 0)

    def test_the_client_goes_on_to_a_broker_that_is_there(self):
        self.house.worker("tr", "--service", "turn", "--", "tr", "a-z", "n-za-m")
        self.house.environment["POINTSMAN_BROKER"] = f"ipc://{self.house.folder}/nobody, {self.house.clients}"
        for _ in range(4):  # whichever is asked first
            result = self.run_(*CLIENT, "turn", "uryyb")
            self.assertEqual((result.stdout.strip(), result.returncode), ("hello", 0), result.stderr)

    def test_the_client_goes_on_to_a_broker_that_has_a_worker(self):
        house = self.house
        house.worker("tr", "--service", "turn", "--", "tr", "a-z", "n-za-m")
        other = f"ipc://{house.folder}/other"
        house.start("other", house.program, "broker", "--clients", other, "--workers", other + "-w")
        house.environment["POINTSMAN_BROKER"] = f"{other},{house.clients}"
        for _ in range(4):
            result = self.run_(*CLIENT, "turn", "uryyb")
            self.assertEqual((result.stdout.strip(), result.returncode), ("hello", 0), result.stderr)

    def test_the_worker_goes_to_another_broker_when_its_own_is_gone(self):
        house = self.house
        second = f"ipc://{house.folder}/second"
        house.start("second", house.program, "broker", "--clients", second, "--workers", second + "-w")
        house.environment["POINTSMAN_WORKERS"] = f"{house.workers},{second}-w"
        house.start("worker", *WORKER, "change")
        links = {"broker": self.control, "second": house.link(second)}
        def at(name):
            return [row["worker"] for row in links[name].ask({"op": "list", "of": "workers"}).get("workers", [])]
        its, other = ("broker", "second") if at("broker") else ("second", "broker")
        house.running[its].send_signal(signal.SIGKILL)
        house.stop(its)
        until(lambda: at(other), 30, "the worker is registered with the other broker")

    def test_each_service_has_its_order_of_brokers(self):
        finder = [word.replace("client", "brokers") for word in CLIENT]
        result = self.run_(*finder, "b=ipc:///b, a=ipc:///a KEY, home, c=ipc:///c", "clients", "zip")
        self.assertEqual(result.stdout.split("\n"), ["ipc:///a KEY", "ipc:///c", "ipc:///b", ""], result.stderr)
        house = self.house
        second = f"ipc://{house.folder}/second"
        house.start("second", house.program, "broker", "--clients", second, "--workers", second + "-w")
        house.environment["POINTSMAN_WORKERS"] = f"home,a={house.workers},b={second}-w"
        house.start("worker", *WORKER, "change")
        house.worker("tr", "--service", "change", "--", "cat")
        links = [self.control, house.link(second)]
        counts = [len(link.ask({"op": "list", "of": "workers"}).get("workers", [])) for link in links]
        self.assertEqual(sorted(counts), [0, 2], "both are at one broker")

    def test_the_worker_goes_back_to_the_broker_that_its_service_begins_at(self):
        house = self.house
        def start(name):
            at = f"ipc://{house.folder}/{name}"
            house.start(name, house.program, "broker", "--clients", at, "--workers", at + "-w")
            return house.link(at)
        def names(link):
            return [row["worker"] for row in link.ask({"op": "list", "of": "workers"}).get("workers", [])]
        links = {name: start(name) for name in ("one", "two")}
        house.environment["POINTSMAN_WORKERS"] = ",".join(["home"] + [f"{name}=ipc://{house.folder}/{name}-w" for name in links])
        house.start("worker", *WORKER, "change")
        first, other = ("one", "two") if names(links["one"]) else ("two", "one")
        house.running[first].send_signal(signal.SIGKILL)
        house.stop(first)
        until(lambda: names(links[other]), 30, "the worker is registered with the other broker")
        links[first] = start(first)
        until(lambda: names(links[first]), 30, "the worker is back")
        self.assertEqual(names(links[other]), [])
        house.environment["POINTSMAN_BROKER"] = f"ipc://{house.folder}/{first}"
        result = self.run_(*CLIENT, "change", "abc")
        self.assertEqual((result.stdout.strip(), result.returncode), (CHANGED("abc"), 0), result.stderr)

    def test_client_and_worker_find_a_broker_of_which_they_know_the_group_only(self):
        house, folder = self.house, pathlib.Path(self.house.folder)
        group = f"languages-{os.getpid()}-{language}"
        for realm in ("ours", "theirs"):
            subprocess.run([house.program, "keys", "make", "--realm", folder / realm], check=True, capture_output=True)
        for realm in ("", "ours"):
            sealed = ["--realm", folder / realm] if realm else []
            house.start("found", house.program, "broker", "--clients", "tcp://127.0.0.1:*", "--workers", "tcp://127.0.0.1:*",
                        "--group", group, *sealed)
            if realm:
                house.environment["POINTSMAN_REALM"] = str(folder / realm)
            empty = folder / "empty"
            empty.write_text("# nobody\n")
            house.environment["HERE"] = f"auto:{group}"
            house.environment["POINTSMAN_BROKER"] = house.environment["POINTSMAN_WORKERS"] = f"file:{empty},env:HERE"
            house.start("worker", *WORKER, "change")
            for command in (CLIENT, [house.program, "call"]):
                result = self.run_(*command, "change", "abc")
                self.assertEqual((result.stdout.strip(), result.returncode), (CHANGED("abc"), 0), result.stderr)
            house.stop("worker")
            if realm:  # of another realm
                house.environment["POINTSMAN_REALM"] = str(folder / "theirs")
                result = self.run_(*CLIENT, "change", "abc")
                self.assertNotEqual(result.returncode, 0)
                self.assertIn("no broker was found", result.stderr)
            house.stop("found")

    def test_the_worker_leaves_when_it_is_told_to_stop(self):
        for _ in range(8):  # what is said last is lost most easily
            self.house.start("worker", *WORKER, "change")
            self.assertEqual(self.house.stop("worker"), 0)
            until(lambda: self.figures("workers", "worker") == [], 5, "the worker is off the list")


if __name__ == "__main__":
    language, PROGRAM = sys.argv[1:]
    CLIENT, WORKER, CHANGED = COMMANDS[language]
    if language == "node":
        if not shutil.which("node") or not (ROOT / "scripts/node/node_modules").is_dir():
            print("skipped: no node, or no modules (scripts/setup --node)")
            sys.exit(77)
    unittest.main(argv=sys.argv[:1], verbosity=2)
