#!/usr/bin/python3
"""worker.py SERVICE [SLOTS]: a whole worker, from PROTOCOL.md alone. Answers with its input in capitals.

One thread keeps the lease and the sessions; the work runs in threads apart, so that long work costs no heartbeat.
POINTSMAN_WORKERS may name several brokers, and places to look for some (brokers.py): it goes to the next one when its own is gone,
and with home back to one that comes before, when that is there again and no session is open.
With POINTSMAN_KEY (a file that `pointsman keys make` wrote) and POINTSMAN_BROKER_KEY it encrypts.
"""
import base64, concurrent.futures, hashlib, hmac, json, os, random, signal, socket, struct, sys, time, uuid
import msgpack, zmq
import zmq.auth, zmq.auth.thread, zmq.utils.z85
import brokers as places
from brokers import BROKER, OWN, digest, key_in


def work(frames):
    return [frame.upper() for frame in frames]


def fingerprint(kind, name):
    found = hashlib.blake2b(f"pointsman {kind}\0{name}".encode(), digest_size=32).digest()
    return int.from_bytes(found[:8], "big") >> 11


def notify(text):
    """Tells `pointsman up` or systemd, whoever watches over this process."""
    path = os.environ.get("NOTIFY_SOCKET")
    if path:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as watcher:
            watcher.sendto(text.encode(), path.replace("@", "\0", 1) if path[0] == "@" else path)


class Refusal(Exception):
    """What a client did wrong: a code and a reason."""


class Session:
    def __init__(self, service, client, id, key, until):
        self.service, self.client, self.id, self.key, self.until = service, client, id, key, until
        self.peer = None  # the connection that showed the ticket: the session is open
        self.term, self.begun, self.calls = 0.0, 0.0, []  # calls: the first runs, the others wait


class Scout:
    """Looks for a better broker, with home, in a thread apart, since that takes its time. What there is it looks up once a minute."""

    def __init__(self, sources):
        self.pool, self.next, self.found = concurrent.futures.ThreadPoolExecutor(1), 0.0, None
        self.sources, self.places, self.anew = sources, [], 0.0

    def look(self, now, *question):
        """What was found since it was asked last; None: nothing, or not yet."""
        if self.found and self.found.done():
            found, self.found, self.next = self.found, None, now + random.uniform(3, 4.5)
            return None if found.exception() else found.result()  # another time, then
        if self.found is None and now > self.next:
            self.found = self.pool.submit(self.search, now, *question)
        return None

    def search(self, now, *question):
        if now > self.anew:
            self.places = places.look(self.sources, "workers")
            self.anew = now + 60 if None in self.places else float("inf")
        return places.better(self.places, *question) if None in self.places else None


class Worker:
    def __init__(self, service, slots, brokers):
        self.service, self.slots = service, slots
        self.brokers, self.lease = places.rotation(brokers, "workers", service), 0
        self.scout, self.avoided = Scout(brokers), {}  # avoided: endpoints that a move was to go to, until when
        self.better, self.moves_after, self.moves_by = None, 0, 0.0  # where to, after which heartbeat, until when
        self.context, self.pool = zmq.Context(), concurrent.futures.ThreadPoolExecutor(slots)
        self.direct, self.done = self.context.socket(zmq.ROUTER), self.context.socket(zmq.PULL)
        self.direct.router_mandatory, self.direct.linger = 1, 500
        if OWN:  # any key may come; the ticket says whether it is the right one
            self.doorkeeper = zmq.auth.thread.ThreadAuthenticator(self.context)
            self.doorkeeper.start()
            self.doorkeeper.configure_curve(location=zmq.auth.CURVE_ALLOW_ANY)
            self.direct.zap_domain = b"direct"
            self.direct.curve_server, self.direct.curve_secretkey = True, key_in(OWN, "secret")
        self.endpoint = f"tcp://127.0.0.1:{self.direct.bind_to_random_port('tcp://127.0.0.1')}"
        self.done.bind("inproc://done")
        self.name, self.instance = f"python-{uuid.uuid4().hex[:8]}", uuid.uuid4().hex
        self.sessions, self.over, self.keys, self.broker = {}, {}, {}, None
        self.completed, self.busy, self.progress, self.clock = 0, 0.0, 0, 0.0
        self.draining, self.leaving = False, None  # leaving: since when
        self.begin()

    # ---- The broker: the lease, who comes, what happened

    def begin(self, place=None):
        """Registers, on a new connection: with the same broker if there was a lease, else with the next one, or the one given."""
        if self.broker:
            self.broker.close(0)  # what it was not told it is not to hear when this worker is elsewhere
        self.stay()
        self.url, self.broker_key = place or ((self.url, self.broker_key) if self.lease else next(self.brokers))
        self.broker = self.context.socket(zmq.DEALER)
        self.broker.linger, self.broker.ipv6 = 500, True
        if OWN:
            self.broker.curve_serverkey = key_in(self.broker_key or BROKER)
            self.broker.curve_publickey, self.broker.curve_secretkey = key_in(OWN), key_in(OWN, "secret")
        self.broker.connect(self.url)
        self.poller = zmq.Poller()
        for socket in (self.broker, self.direct, self.done):
            self.poller.register(socket, zmq.POLLIN)
        self.lease, self.good_until, self.interval = 0, 0.0, 1.0
        self.beat, self.seen, self.events, self.reported = 0, 0, [], 0
        self.sent = {0: time.monotonic()}  # what is not answered yet, and when it went; the registration is beat 0
        self.next = self.sent[0] + self.interval
        self.tell("register", worker=self.name, instance=self.instance, services=[{"service": self.service}],
                  slots=self.slots, endpoint=self.endpoint, key=key_in(OWN).decode() if OWN else "",
                  draining=self.draining, completed=self.completed, busy_ms=int(self.busy * 1000), sessions=self.held())

    def tell(self, op, **fields):
        self.broker.send_multipart([b"", msgpack.packb({"op": op, **fields})])

    def held(self):
        return [{"session": number, "service": s.service, "client": s.client, "id": s.id, "key": s.key,
                 "open": bool(s.peer)}
                for number, s in self.sessions.items()]

    def figures(self):
        return {"lease": self.lease, "seen": self.seen, "completed": self.completed,
                "busy_ms": int(self.busy * 1000)}

    def heartbeat(self):
        if len(self.sent) >= (2 if self.lease else 1):
            return self.begin()
        self.beat += 1
        self.sent[self.beat] = time.monotonic()
        self.next = self.sent[self.beat] + self.interval
        together = 0
        for number in self.sessions:
            together ^= digest(number)
        self.report()
        self.tell("heartbeat", beat=self.beat, used=len(self.sessions), digest=together, reported=self.reported,
                  progress=self.progress, draining=self.draining or self.better is not None, **self.figures())

    def report(self):
        """What happened to sessions and is not applied yet."""
        if self.events and self.lease:
            first = self.reported - len(self.events) + 1
            self.tell("report", first=first, events=self.events[:256], **self.figures())

    def note(self, **event):
        self.reported += 1
        self.events.append(event)

    def answered(self, beat):
        if sent := self.sent.get(beat):
            self.sent = {other: at for other, at in self.sent.items() if other > beat}
            endless = self.term < 0
            self.good_until = float("inf") if endless else sent + self.term - max(0.05 * self.term, 0.2)

    def from_broker(self, message):
        op = message["op"]
        if op == "refused":
            if message["code"] in ("bad-message", "bad-endpoint", "wrong-version"):
                sys.exit(f"refused: {message['code']}, {message.get('reason', '')}")
            if message["code"] == "unknown-lease":
                self.begin()
            return
        if op == "registered":
            notify(f"X_POINTSMAN_WORKER={self.name} {self.instance}\nREADY=1")
            self.lease, self.term = message["lease"], message["term_ms"] / 1000
            self.interval = message["heartbeat_ms"] / 1000
            self.next = time.monotonic() + self.interval
            self.keys = dict([*self.keys.items()][-1:] + [(self.lease, message["key"])])  # and the one before
            self.answered(0)
            self.avoided.pop(self.url, None)
            print(f"ready worker={self.name} endpoint={self.endpoint} service={self.service}", flush=True)
        if op in ("registered", "heard", "assign"):
            if message["lease"] != self.lease:
                return  # one that is over
            self.clock = message.get("now_ms", 0) / 1000 - time.monotonic()
            applied = message.get("applied", 0)
            del self.events[:max(0, len(self.events) - (self.reported - applied))]
        if op == "heard":
            self.answered(message.get("beat", 0))
            if wait := message.get("next_ms"):
                self.next = time.monotonic() + min(wait / 1000, 1.5 * self.interval)
        elif op == "assign":
            for number, a in enumerate(message["sessions"], message["first"]):
                if number > self.seen and a["session"] not in {*self.sessions, *self.over}:
                    until = time.monotonic() + a.get("ttl_ms", 0) / 1000 + 1
                    self.sessions[a["session"]] = Session(a["service"], a.get("client", ""), a.get("id", ""),
                                                         a.get("key", b""), until)
                self.seen = max(self.seen, number)
        elif op == "release":
            self.close(message["session"], "released")
        elif op == "renew":
            self.touch(message["session"], message.get("term_ms", 0))
        elif op == "sync":
            self.tell("holding", lease=self.lease, seen=self.seen, reported=self.reported, sessions=self.held())
        elif op == "probe":
            self.heartbeat()
        elif op == "drain":
            self.drain(message.get("mode", "drain"))

    def drain(self, mode):
        self.draining = mode != "resume"
        if mode in ("leave", "forget"):
            self.leaving = self.leaving or time.monotonic()
        self.heartbeat()

    # ---- Home: back to a broker that comes before this one

    def look_around(self, now):
        """Whether such a broker is there, every few seconds; then whether everything is over here."""
        if self.better is None:
            self.avoided = {url: until for url, until in self.avoided.items() if until > now}
            place = self.scout.look(now, self.service, self.url, set(self.avoided))
            if place and self.lease and not self.draining:
                self.better, self.moves_by, self.avoided[place[0]] = place, now + 10, now + 300
                self.heartbeat()
                self.moves_after = self.beat
        elif now > self.moves_by or self.draining:
            self.stay()
            self.heartbeat()
        elif not self.sessions and self.moves_after and self.moves_after not in self.sent and self.lease:
            place = self.better
            self.leave()
            self.begin(place)

    def stay(self):
        self.better, self.moves_after = None, 0

    # ---- Clients, on the direct link

    def from_client(self, frames, proved):
        end = frames.index(b"", 1) + 1 if b"" in frames[1:8] else 1
        envelope, message, op, pack = frames[:end], {}, "", msgpack.packb
        try:
            if frames[end][:1] == b"{":
                message, pack = json.loads(frames[end]), lambda answer: json.dumps(answer).encode()
                message["ticket"] = base64.b64decode(message.get("ticket", ""))
            else:
                message = msgpack.unpackb(frames[end])
            op, number = message["op"], message.get("session")
            if op not in ("open", "call", "abandon", "renew", "release"):
                raise Refusal("unknown-op", "takes open, call, abandon, renew and release")
            if op == "open" or op == "call" and message.get("ticket"):
                number = self.admit(frames[0], message, proved)
            session = self.sessions.get(number)
            if op != "release" and (session is None or session.peer is None):
                raise Refusal("unknown-session", "it is not open here")
            if session and session.peer != frames[0]:
                raise Refusal("not-yours", "it is bound to another connection")
            self.touch(number, message.get("term_ms", 0))
            if op == "call":
                return self.call(session, number, message["number"], envelope, pack, frames[end + 1:])
            if op == "abandon":
                return self.abandon(session, number, message["number"])
            if op == "release":
                self.close(number, "released")
                answer = {"op": "released", "session": number}
            else:
                answer = {"op": "opened" if op == "open" else "renewed", "session": number,
                          "term_ms": int(session.term * 1000)}
        except Refusal as refusal:
            code, reason = refusal.args
            answer = {"op": "refused", "about": op, "code": code, "reason": reason,
                      **{key: message[key] for key in ("session", "number") if key in message}}
        except Exception as error:
            answer = {"op": "refused", "code": "bad-message", "reason": f"cannot read this: {error!r}"[:200]}
        self.answer([*envelope, pack(answer)])

    def answer(self, frames):
        try:
            self.direct.send_multipart(frames, zmq.DONTWAIT)
        except zmq.ZMQError:
            pass  # the client is gone

    def admit(self, peer, message, proved):
        """Opens the session of the ticket that the message shows, or moves it to this connection."""
        now, sealed, client = time.monotonic(), message["ticket"], message.get("client", "")
        if len(sealed) != 130 or sealed[:2] != b"\2\1":
            raise Refusal("bad-ticket", "it has not the form of a ticket")
        _, number, lease, holder, _, issued, ttl, term = struct.unpack(">8Q", sealed[2:66])
        if lease not in self.keys:
            raise Refusal("foreign-ticket", "it is for another worker")
        tag = hashlib.blake2b(sealed[:98], key=self.keys[lease], digest_size=32).digest()
        if not hmac.compare_digest(tag, sealed[98:]):
            raise Refusal("forged-ticket", "its seal is wrong")
        if holder != fingerprint("client", client) or sealed[66:98] != proved:
            raise Refusal("stolen-ticket", "it is another client's")
        if number in self.over:
            raise Refusal("used-ticket", "its session is over")
        session = self.sessions.get(number)
        if session is None or session.peer is None:
            if now + self.clock > (issued + ttl) / 1000:
                raise Refusal("expired-ticket", "it was shown too late")
            if now > self.good_until:
                raise Refusal("busy", "this worker has lost touch with its broker")
            if session is None and len(self.sessions) >= self.slots:
                raise Refusal("busy", "all slots are in use")
            session = self.sessions.setdefault(number, Session(self.service, client, "", proved if OWN else b"", 0))
            session.term, session.begun = term / 1000, now
            self.note(session=number)
        session.peer = peer
        return number

    def touch(self, number, term_ms=0):
        session = self.sessions.get(number)
        if session and session.peer:
            session.term = term_ms / 1000 or session.term
            session.until = time.monotonic() + session.term

    def close(self, number, ending):
        session = self.sessions.pop(number, None)
        if session:
            self.over = dict([*self.over.items()][-1000:] + [(number, None)])
            self.completed += session.peer is not None
            self.busy += time.monotonic() - session.begun if session.peer else 0
            self.note(session=number, closed=True, ending=ending)
            self.report()

    # ---- Calls: those of one session one after another

    def call(self, session, number, call, envelope, pack, frames):
        if any(call == known for known, *_ in session.calls):
            return  # the same again
        session.calls.append((call, envelope, pack, frames))
        if len(session.calls) == 1:
            self.pool.submit(self.run, number, *session.calls[0])

    def abandon(self, session, number, call):
        for place, (known, envelope, pack, _) in enumerate(session.calls):
            if known == call:
                self.answer([*envelope, pack({"op": "failed", "session": number, "number": call, "code": "cancelled"})])
                if place:  # the first is at work, and cannot be stopped here; its answer is ignored
                    del session.calls[place]

    def run(self, number, call, envelope, pack, frames):
        """In a thread of the pool: the work, and its answer by way of the main thread."""
        try:
            head, payload = {"op": "reply"}, work(frames)
        except Exception as error:
            head, payload = {"op": "failed", "reason": repr(error)[:1000]}, []
        with self.context.socket(zmq.PUSH) as socket:
            socket.connect("inproc://done")
            socket.send_multipart([str(number).encode(), *envelope,
                                   pack({**head, "session": number, "number": call}), *payload])

    def finished(self, number, *frames):
        self.progress += 1
        if session := self.sessions.get(int(number)):
            self.answer(frames)
            self.touch(int(number))
            del session.calls[0]
            if session.calls:
                self.pool.submit(self.run, int(number), *session.calls[0])

    # ---- Time

    def turn(self):
        """One round: what came, and what is due. False when it is time to go."""
        due = min([self.next, *(s.until for s in self.sessions.values())])
        ready = dict(self.poller.poll(max(0, min(500, int((due - time.monotonic()) * 1000) + 1))))
        if self.broker in ready:
            self.from_broker(msgpack.unpackb(self.broker.recv_multipart()[-1]))
        if self.direct in ready:
            first, *frames = self.direct.recv_multipart(copy=False)
            # Not of the first frame: libzmq 4.3.4 loses it there.
            proved = zmq.utils.z85.decode(frames[0].get("User-Id")) if OWN else bytes(32)
            self.from_client([first.bytes, *(frame.bytes for frame in frames)], proved)
        if self.done in ready:
            self.finished(*self.done.recv_multipart())
        if self.leaving and not self.draining:
            self.drain("leave")
        now = time.monotonic()
        for number in [n for n, s in self.sessions.items() if now > s.until and not s.calls]:
            self.close(number, "expired" if self.sessions[number].peer else "unused")
        if now >= self.next:
            self.heartbeat()
        self.look_around(now)
        return self.leaving is None or self.sessions and now < self.leaving + 5

    def leave(self):
        """Says so, and waits for the answer for a second at most: the answer to the last heartbeat may come before."""
        self.tell("leave", lease=self.lease, reason="stopped")
        end = time.monotonic() + 1
        while self.broker.poll(max(0, 1000 * (end - time.monotonic()))):
            if msgpack.unpackb(self.broker.recv_multipart()[-1])["op"] == "left":
                break


if __name__ == "__main__":
    worker = Worker(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1,
                    os.environ.get("POINTSMAN_WORKERS", "tcp://127.0.0.1:5571"))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: setattr(worker, "leaving", time.monotonic()))
    while worker.turn():
        pass
    worker.leave()
    os._exit(0)  # also when work that nobody waits for is still running
