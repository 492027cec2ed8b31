#!/usr/bin/python3
"""worker.py SERVICE [SLOTS]: a whole worker in one file, from PROTOCOL.md alone. Answers with its input in capitals.

One thread keeps the lease and the sessions; the work runs in threads apart, so that long work costs no heartbeat.
"""
import concurrent.futures, hashlib, hmac, os, signal, struct, sys, time, uuid, msgpack, zmq


def work(frames):
    return [frame.upper() for frame in frames]


def contribution(session):
    """What a session adds to the digest of the heartbeat."""
    mask = 2**64 - 1
    z = (session + 0x9E3779B97F4A7C15) & mask
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & mask
    z = (z ^ z >> 27) * 0x94D049BB133111EB & mask
    return (z ^ z >> 31) >> 11


class Refusal(Exception):
    """What a client did wrong: a code and a reason."""


class Session:
    def __init__(self, service, client, id, until):
        self.service, self.client, self.id, self.until = service, client, id, until
        self.peer, self.term, self.calls, self.begun = None, 0.0, 0, 0.0  # a peer: somebody came with the ticket


class Worker:
    def __init__(self, service, slots, broker):
        self.service, self.slots, self.url = service, slots, broker
        self.context = zmq.Context()
        self.direct = self.context.socket(zmq.ROUTER)
        self.direct.router_mandatory, self.direct.linger = 1, 0
        self.endpoint = f"tcp://127.0.0.1:{self.direct.bind_to_random_port('tcp://127.0.0.1')}"
        self.done = self.context.socket(zmq.PULL)
        self.done.bind("inproc://done")
        self.pool = concurrent.futures.ThreadPoolExecutor(slots)
        self.name, self.instance = f"python-{uuid.uuid4().hex[:8]}", uuid.uuid4().hex
        self.sessions, self.over, self.keys = {}, {}, {}
        self.completed, self.busy, self.progress = 0, 0.0, 0
        self.broker = None
        self.begin()

    # ---- The broker: lease, assignments, reports

    def begin(self):
        """Registers, on a new connection."""
        if self.broker:
            self.broker.close()
        self.broker = self.context.socket(zmq.DEALER)
        self.broker.linger = 0
        self.broker.connect(self.url)
        self.poller = zmq.Poller()
        for socket in (self.broker, self.direct, self.done):
            self.poller.register(socket, zmq.POLLIN)
        self.lease, self.good_until, self.interval = 0, 0.0, 1.0
        self.tell("register", worker=self.name, instance=self.instance, services=[{"service": self.service}],
                  slots=self.slots, endpoint=self.endpoint, sessions=self.held(), completed=self.completed,
                  busy_ms=int(self.busy * 1000))
        self.last = time.monotonic()
        self.sent = {0: self.last}  # what is not answered yet, and when it went; the registration is beat 0
        self.beat, self.seen, self.events, self.reported = 0, 0, [], 0

    def tell(self, op, **fields):
        self.broker.send_multipart([b"", msgpack.packb({"op": op, **fields})])

    def held(self):
        return [{"session": number, "service": s.service, "client": s.client, "id": s.id, "open": s.peer is not None}
                for number, s in self.sessions.items()]

    def heartbeat(self):
        if len(self.sent) >= (2 if self.lease else 1):
            return self.begin()
        self.beat += 1
        self.last = self.sent[self.beat] = time.monotonic()
        digest = 0
        for number in self.sessions:
            digest ^= contribution(number)
        self.report()
        self.tell("heartbeat", beat=self.beat, used=len(self.sessions), digest=digest, reported=self.reported,
                  progress=self.progress, **self.figures())

    def report(self):
        """What happened to sessions and is not applied yet."""
        if self.events and self.lease:
            first = self.reported - len(self.events) + 1
            self.tell("report", first=first, events=self.events[:256], **self.figures())

    def figures(self):
        return {"lease": self.lease, "seen": self.seen, "completed": self.completed, "busy_ms": int(self.busy * 1000)}

    def note(self, **event):
        self.reported += 1
        self.events.append(event)

    def applied(self, number):
        del self.events[:max(0, len(self.events) - (self.reported - number))]

    def from_broker(self, message):
        now, op = time.monotonic(), message["op"]
        if op == "registered":
            self.lease, self.term = message["lease"], message["term_ms"] / 1000
            self.interval = message["heartbeat_ms"] / 1000
            self.keys = {**dict(list(self.keys.items())[-1:]), self.lease: message["key"]}  # and the one before
            self.renewed(0)
            print(f"ready worker={self.name} endpoint={self.endpoint} service={self.service}", flush=True)
        elif op == "refused" and message["code"] != "unknown-lease":
            sys.exit(f"refused: {message['code']} {message.get('reason', '')}")
        elif op == "refused":
            self.begin()
        elif message.get("lease") != self.lease:
            return  # of a lease that is over
        elif op == "heard":
            self.renewed(message.get("beat", 0))
            self.applied(message.get("applied", 0))
        elif op == "assign":
            self.applied(message.get("applied", 0))
            for number, a in enumerate(message["sessions"], message["first"]):
                if number > self.seen and a["session"] not in self.sessions and a["session"] not in self.over:
                    self.sessions[a["session"]] = Session(a["service"], a.get("client", ""), a.get("id", ""),
                                                          now + a.get("ttl_ms", 0) / 1000 + 1)
                self.seen = max(self.seen, number)
        elif op == "sync":
            self.tell("holding", lease=self.lease, seen=self.seen, reported=self.reported, sessions=self.held())
        elif op == "probe":
            self.heartbeat()
        elif op in ("release", "renew") and message["session"] in self.sessions:
            self.release(message["session"]) if op == "release" else self.touch(message["session"])
        if "now_ms" in message:
            self.clock = message["now_ms"] / 1000 - now

    def renewed(self, beat):
        sent = self.sent.get(beat)
        if sent is not None:
            self.sent = {b: at for b, at in self.sent.items() if b > beat}
            self.good_until = sent + self.term - max(0.05 * self.term, 0.2) if self.term >= 0 else float("inf")

    # ---- Clients, on the direct link

    def from_client(self, frames):
        end = frames.index(b"", 1) + 1 if b"" in frames[1:] else 1  # the return envelope
        message, op = {}, ""
        try:
            message = msgpack.unpackb(frames[end])
            op = message["op"]
            if op == "open":
                number = self.admit(frames[0], message)
                answer = {"op": "opened", "session": number, "term_ms": int(self.sessions[number].term * 1000)}
            else:
                number = message["session"]
                if op == "call" and "ticket" in message:
                    self.admit(frames[0], message)
                if number not in self.sessions or self.sessions[number].peer != frames[0]:
                    raise Refusal("unknown-session", "not open here, or not on this connection")
                if op == "call":
                    self.sessions[number].calls += 1
                    return self.pool.submit(self.run, number, message["number"], frames[:end], frames[end + 1:])
                if op == "release":
                    self.release(number)
                    answer = {"op": "released", "session": number}
                elif op == "renew":
                    self.touch(number)
                    answer = {"op": "renewed", "session": number, "term_ms": int(self.sessions[number].term * 1000)}
                else:
                    raise Refusal("unknown-op", "takes open, call, renew, release")
        except Refusal as refusal:
            code, reason = refusal.args
            answer = {"op": "refused", "about": op, "code": code, "reason": reason,
                      **{key: message[key] for key in ("session", "number") if key in message}}
        except Exception as error:
            answer = {"op": "refused", "code": "bad-message", "reason": f"cannot read this: {error!r}"[:200]}
        self.answer([*frames[:end], msgpack.packb(answer)])

    def answer(self, frames):
        try:
            self.direct.send_multipart(frames, zmq.DONTWAIT)
        except zmq.ZMQError:
            pass  # the client is gone

    def admit(self, peer, message):
        """Opens the session of the ticket that the message shows, or moves it to this connection."""
        now, sealed = time.monotonic(), message["ticket"]
        if len(sealed) != 98:
            raise Refusal("bad-ticket", "has not the form of a ticket")
        version, algorithm, _, number, lease, _, _, issued, ttl, term = struct.unpack(">BB8Q", sealed[:66])
        tag = hashlib.blake2b(sealed[:66], key=self.keys.get(lease, b"?"), digest_size=32).digest()
        if (version, algorithm) != (1, 1) or lease not in self.keys or not hmac.compare_digest(tag, sealed[66:]):
            raise Refusal("bad-ticket", "the seal is wrong")
        if number in self.over:
            raise Refusal("used-ticket", "its session is over")
        session = self.sessions.get(number)
        if session is None or session.peer is None:
            if now > self.good_until or now + self.clock > (issued + ttl) / 1000:
                raise Refusal("expired-ticket", "its time, or this worker's lease, has ended")
            if session is None and len(self.sessions) >= self.slots:
                raise Refusal("busy", "all slots are in use")
            session = self.sessions.setdefault(number, Session(self.service, message.get("client", ""), "", 0))
            session.term, session.begun = term / 1000, now
            self.note(session=number)
        session.peer = peer
        self.touch(number)
        return number

    def touch(self, number):
        self.sessions[number].until = time.monotonic() + self.sessions[number].term

    def release(self, number, ending="released"):
        session = self.sessions.pop(number)
        self.over[number] = time.monotonic()
        self.over = dict(list(self.over.items())[-1000:])
        if session.peer is not None:
            self.completed += 1
            self.busy += time.monotonic() - session.begun
        self.note(session=number, closed=True, ending=ending)
        self.report()

    def run(self, session, number, envelope, frames):
        """In a thread of the pool: the work, and its answer to the main thread."""
        try:
            head, answer = {"op": "reply"}, work(frames)
        except Exception as error:
            head, answer = {"op": "failed", "reason": repr(error)[:1000]}, []
        socket = self.context.socket(zmq.PUSH)
        socket.connect("inproc://done")
        socket.send_multipart([str(session).encode(), *envelope,
                               msgpack.packb({**head, "session": session, "number": number}), *answer])
        socket.close()

    def finished(self, session, *frames):
        self.progress += 1
        self.answer(frames)
        if int(session) in self.sessions:
            self.sessions[int(session)].calls -= 1
            self.touch(int(session))

    # ---- Time

    def turn(self):
        next_beat = self.last + self.interval
        wait = min([next_beat, *(s.until for s in self.sessions.values())]) - time.monotonic()
        ready = dict(self.poller.poll(max(0, min(1000, int(wait * 1000) + 1))))
        if self.broker in ready:
            self.from_broker(msgpack.unpackb(self.broker.recv_multipart()[-1]))
        if self.direct in ready:
            self.from_client(self.direct.recv_multipart())
        if self.done in ready:
            self.finished(*self.done.recv_multipart())
        now = time.monotonic()
        for number in [n for n, s in self.sessions.items() if now > s.until and not s.calls]:
            self.release(number, "expired" if self.sessions[number].peer else "unused")
        if now >= next_beat:
            self.heartbeat()

    def leave(self):
        if self.lease:
            self.tell("leave", lease=self.lease, reason="stopped")
            self.broker.poll(1000)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    worker = Worker(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1,
                    os.environ.get("POINTSMAN_WORKERS", "tcp://127.0.0.1:5571"))
    try:
        while True:
            worker.turn()
    except KeyboardInterrupt:
        pass
    finally:
        worker.leave()
