#!/usr/bin/python3
"""The demonstration: real files through hand-offs to ordinary programs, with a worker killed in the middle.

demo.py PROGRAM starts a broker and workers (gzip, sha256sum, wc behind the side car), lets several clients at once
send them files of this machine, compares every result with the same program run by hand, and prints a report.
Exit code 0: every result was right and nothing was left behind. 1: not so, and the report says what.
"""
import pathlib, queue, signal, statistics, subprocess, sys, threading, time, uuid

from house import Failure, House, Link, until

BOUND = 55  # seconds; the demonstration fails rather than take longer
CLIENTS = 10
FILES = 260
FILES_PER_SESSION = 3
PULSE, PULSES = 250, 3  # a worker that leaves so many signs of life unanswered, so many ms apart, is dead
VICTIM = "gzip-a"
LEASE = 3  # seconds; what a dead worker held is struck off after 2.2 of them at the latest

# service: command, policy, workers as (name, weight, slots, copies)
SERVICES = {
    "gzip": (["gzip", "-n", "-9", "-c"], "weighted-round-robin",
             [(VICTIM, 3, 2, 1), ("gzip-b", 2, 2, 1), ("gzip-c", 1, 1, 1)]),
    "sha256sum": (["sha256sum"], "least-connections", [("sha-a", 2, 2, 1), ("sha-b", 1, 1, 1)]),
    "wc": (["wc", "-l", "-w", "-c"], "least-recent", [("wc", 1, 1, 3)]),
}


class Dead(Exception):
    """A worker that gives no sign of life, or says that it cannot serve this session."""


class Client(threading.Thread):
    """Takes files from the list, and hands them over, a few to a session."""

    def __init__(self, number, house, jobs, killer):
        super().__init__(daemon=True)
        self.label, self.jobs, self.killer = f"client-{number}", jobs, killer
        self.broker, self.links = Link(house.clients), {}
        self.results, self.grants, self.rescued, self.failure = {}, [], [], None

    def run(self):
        try:
            while True:
                service, files = self.jobs.get_nowait()
                self.hand_off(service, files)
        except queue.Empty:
            pass
        except Exception as problem:
            self.failure = f"{self.label}: {problem!r}"

    def hand_off(self, service, files):
        grant = self.acquire(service)
        for number, file in enumerate(files, 1):
            data, begun = file.read_bytes(), time.monotonic()
            while True:
                try:
                    self.results[service, file] = self.call(grant, number, data)
                    break
                except Dead as reason:
                    died, noticed = grant, time.monotonic()
                    self.links.pop(grant["endpoint"]).close()
                    grant = self.acquire(service, failed=grant["session"])
                    self.rescued.append((self.label, died["worker"], grant["worker"], file, str(reason),
                                         noticed - begun, time.monotonic() - noticed))
        self.links[grant["endpoint"]].tell({"op": "release", "session": grant["session"], "client": self.label})
        self.expect(grant, "released")

    def acquire(self, service, failed=0):
        grant = self.broker.ask({"op": "request", "id": str(uuid.uuid4()), "service": service,
                                 "client": self.label, "wait_ms": 15_000, "failed": failed})
        self.grants.append(grant)
        if grant["endpoint"] not in self.links:
            self.links[grant["endpoint"]] = Link(grant["endpoint"])
        return grant

    def call(self, grant, number, data):
        self.links[grant["endpoint"]].tell({"op": "call", "session": grant["session"], "number": number,
                                            "ticket": grant["ticket"], "client": self.label}, data)
        self.killer(grant["worker"], data)
        return b"".join(self.expect(grant, "reply"))

    def expect(self, grant, op):
        """The worker's answer, asking for signs of life meanwhile."""
        link, payload, unanswered = self.links[grant["endpoint"]], [], 0
        while True:
            answer, more = link.hear(PULSE)
            if answer is None:
                if unanswered == PULSES:
                    if op == "released":
                        return payload  # nobody is there any more who could hold it
                    raise Dead("no sign of life")
                unanswered += 1
                link.tell({"op": "renew", "session": grant["session"], "client": self.label})
                continue
            unanswered = 0
            if answer.get("session", 0) != grant["session"]:
                continue  # of a session that is over
            if answer["op"] == "failed":
                raise Failure(f"{grant['worker']} failed: {answer.get('reason', '')} {answer.get('detail', '')}")
            if answer["op"] == "refused" and answer.get("about") != "renew":
                raise Dead(f"refused: {answer['code']}")
            if answer["op"] == op:
                payload += more
                if not answer.get("more"):
                    return payload


class Killer:
    """Kills the victim once, when a third of the work is done and it is at work for a client."""

    def __init__(self, house, jobs):
        self.house, self.jobs, self.threshold = house, jobs, jobs.qsize() * 2 // 3
        self.lock, self.at = threading.Lock(), None

    def __call__(self, worker, data):
        with self.lock:
            if self.at is None and worker == VICTIM and len(data) > 10_000 and self.jobs.qsize() < self.threshold:
                self.house.running[VICTIM].kill()
                self.at, self.left = time.monotonic(), self.jobs.qsize()


def real_files():
    """Licences and headers of this machine, in a fixed order, spread over /usr/include."""
    def plain(root):
        return sorted(f for f in pathlib.Path(root).rglob("*") if f.is_file() and not f.is_symlink()
                      and 0 < f.stat().st_size < 1_000_000)
    licences, headers = plain("/usr/share/common-licenses"), plain("/usr/include")
    wanted = FILES - len(licences)
    return licences + headers[::max(1, len(headers) // wanted)][:wanted]


def furnish(house):
    """Starts the broker and the workers, and sets the policies."""
    house.broker()
    control = Link(house.clients)
    for service, (command, policy, workers) in SERVICES.items():
        control.ask({"op": "configure", "service": service, "policy": policy})
        for name, weight, slots, copies in workers:
            house.worker(name, "--service", service, "--weight", str(weight), "--slots", str(slots),
                         "-n", str(copies), "--lease", f"{LEASE}s", "--", *command)
    return control


def by_hand(results):
    """Files whose result differs from that of the same program run by hand."""
    wrong = []
    for (service, file), answer in results:
        run = subprocess.run(SERVICES[service][0], input=file.read_bytes(), stdout=subprocess.PIPE, check=True)
        expected = run.stdout
        if answer != expected:
            wrong.append(f"{service} of {file}: {len(answer)} bytes, expected {len(expected)}")
    return wrong


def report(clients, killer, events, took, files):
    grants = [grant for client in clients for grant in client.grants]
    results = sum(len(client.results) for client in clients)
    size = sum(f.stat().st_size for f in files)
    print(f"\nhand-offs   {len(grants)} sessions, {results} files served in {took:.1f} s to {CLIENTS} clients at once")
    print(f"            {len(files)} real files ({size / 1e6:.1f} MB), each through {', '.join(SERVICES)}")
    print("\nserved by   service    policy                worker   weight  slots  sessions  share")
    for service, (_, policy, workers) in SERVICES.items():
        total = sum(g["service"] == service for g in grants)
        for name, weight, slots, copies in workers:
            for copy in [f"{name}-{i + 1}" for i in range(copies)] if copies > 1 else [name]:
                count = sum(g["worker"] == copy for g in grants)
                mark = "  killed" if copy == VICTIM else ""
                print(f"            {service:10} {policy:21} {copy:8} {weight:6} {slots:6} {count:9}"
                      f"  {count / total:5.0%}{mark}")
    waits = sorted(g.get("waited_ms", 0) for g in grants if g.get("waited_ms", 0) > 0)
    if waits:
        print(f"\nwaited      {len(waits)} of {len(grants)} requests waited in the broker's queue for a free slot:"
              f" half of them less than {statistics.median(waits):.0f} ms, the longest {waits[-1]} ms")
    else:
        print(f"\nwaited      none of {len(grants)} requests: a slot was always free")
    print(f"\nkilled      {VICTIM} by SIGKILL at work, with {killer.left} sessions still to hand off")
    for label, old, new, file, reason, after, wait in (r for c in clients for r in c.rescued):
        print(f"            {label} lost {old} while it sent {file.name} ({reason} for {after:.2f} s), asked again,")
        print(f"            had {new} after another {wait:.2f} s, sent the file anew")
    for at, event in events:
        print(f"            {at - killer.at:.2f} s after the kill the broker has it {event['kind']}:"
              f" {event.get('detail', '')}")


def work(house, control, watcher, files):
    """Hands everything to the clients and waits for them; kills the victim on the way."""
    jobs = queue.Queue()
    for start in range(0, len(files), FILES_PER_SESSION):
        for service in SERVICES:
            jobs.put((service, files[start:start + FILES_PER_SESSION]))
    killer = Killer(house, jobs)
    clients = [Client(i + 1, house, jobs, killer) for i in range(CLIENTS)]
    begun, took, events = time.monotonic(), None, []
    for client in clients:
        client.start()
    # Until all clients are done and the broker has noticed the death, too; the latter within some seconds.
    while took is None or killer.at and not events and time.monotonic() < begun + took + 5:
        event, _ = watcher.hear(50)
        if event and event["op"] == "event" and event.get("worker") == VICTIM:
            events.append((time.monotonic(), event))
        if took is None and not any(client.is_alive() for client in clients):
            took = time.monotonic() - begun
        if time.monotonic() > begun + BOUND:
            raise Failure(f"not done after {BOUND} s, {jobs.qsize()} sessions were still to be handed off")
    return clients, killer, events, took


def run(house):
    """The whole demonstration; returns what went wrong."""
    files = real_files()
    control, watcher = furnish(house), Link(house.clients)
    count = sum(copies for _, _, workers in SERVICES.values() for *_, copies in workers)
    until(lambda: len(control.ask({"op": "list", "of": "workers"}).get("workers", [])) == count, 15,
          f"{count} workers registered")
    print(f"broker      {house.clients}")
    print(f"workers     {count}, each an ordinary program: " + ", ".join(" ".join(c) for c, _, _ in SERVICES.values()))
    watcher.ask({"op": "watch", "kinds": ["suspected", "expired"]})
    clients, killer, events, took = work(house, control, watcher, files)
    problems = [client.failure for client in clients if client.failure]
    if killer.at is None:
        problems.append(f"{VICTIM} was never at work, so it was not killed")
    elif not any(client.rescued for client in clients):
        problems.append(f"nobody noticed that {VICTIM} was killed")
    results = [(key, answer) for client in clients for key, answer in client.results.items()]
    if len(results) != len(files) * len(SERVICES):
        problems.append(f"{len(results)} results instead of {len(files) * len(SERVICES)}")
    if not problems:
        report(clients, killer, events, took, files)
    wrong = by_hand(results)
    def services(figure):
        rows = control.ask({"op": "list", "of": "services"}).get("services", [])
        return sum(row.get(figure, 0) for row in rows)
    until(lambda: services("used") == 0, 10 * LEASE, "no session is held any more, now that all clients are done")
    granted, taken = services("granted"), sum(len(client.grants) for client in clients)
    if granted != taken:
        problems.append(f"the broker counts {granted} grants, the clients {taken}")
    print(f"\nresults     {len(results) - len(wrong)} of {len(results)} equal byte for byte to the same program run by hand")
    print(f"afterwards  no session held; {granted} grants counted by the broker, {taken} by the clients")
    return wrong + problems


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if len(sys.argv) != 2:
        sys.exit("usage: demo.py PROGRAM")
    with House(sys.argv[1]) as house:
        try:
            problems = run(house)
        except Failure as failure:
            problems = [str(failure)]
        except KeyboardInterrupt:
            problems = ["interrupted"]
    for problem in problems:
        print(f"WRONG       {problem}")
    print(f"\ndemo: {'failed' if problems else 'passed'}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
