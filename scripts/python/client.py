#!/usr/bin/python3
"""client.py SERVICE TEXT: asks the broker for a worker, calls it directly, releases it. Nothing but PROTOCOL.md.

POINTSMAN_BROKER may name several brokers, and places to look for some (brokers.py): they are asked in sequence until one grants.
A broker may send it on to one below, with a pass, which it keeps for as long as it has a worker there (PROTOCOL.md, "Tiers").
With POINTSMAN_KEY (a file that `pointsman keys make` wrote) and POINTSMAN_BROKER_KEY it encrypts.
"""
import contextlib, os, random, sys, time, uuid, msgpack, zmq
import brokers as places
from brokers import BROKER, OWN, key_in, link

class Refusal(Exception):
    """What somebody does not do: a code, and why."""

# Another broker may do it all the same.
ELSEWHERE = {"unreachable", "unknown-service", "no-match", "no-worker", "queue-full", "hopeless", "busy", "limit-reached",
             "shutting-down", "unknown-key", "not-allowed", "over-quota", "too-fast", "overloaded"}

def tell(socket, message, *payload):
    """Sends a message; to somebody who lets nobody in, or takes nothing, it is lost."""
    with contextlib.suppress(zmq.Again):
        socket.send_multipart([b"", msgpack.packb(message), *payload], zmq.DONTWAIT)

class Pass:
    """A session at a broker that sent us to one below."""
    def __init__(self, broker, grant):
        self.broker, self.session = broker, grant["session"]
        self.third = (grant.get("term_ms") or 30_000) / 3000
        self.due = time.monotonic() + self.third

    def keep(self):
        if time.monotonic() >= self.due:
            self.due = time.monotonic() + self.third
            tell(self.broker, {"op": "renew", "session": self.session})

passes = []  # by which we came to the broker that gives us a worker, from above to below

def comes(socket, within):
    """Whether a message comes in so many milliseconds. Keeps the passes meanwhile."""
    end = time.monotonic() + within / 1000
    while (left := end - time.monotonic()) > 0:
        due = min((held.due - time.monotonic() for held in passes), default=left)
        if socket.poll(1 + 1000 * max(0, min(left, due))):
            return True
        for held in passes:
            held.keep()
    return False

def ask(socket, message, *payload, within=10_000):
    """Sends a message and returns its answer: the body and all payload frames."""
    tell(socket, message, *payload)
    frames = []
    while comes(socket, within):
        _, body, *more = socket.recv_multipart()
        answer, frames = msgpack.unpackb(body), frames + more
        if answer["op"] == "renewed" or answer.get("about") == "renew":
            continue  # of a pass; what is below does not need it
        if answer["op"] in ("refused", "failed"):
            raise Refusal(answer.get("code", "failed"), f"{answer.get('reason', '')} {answer.get('remedy', '')}")
        if not answer.get("more"):
            return answer, frames
    raise Refusal("unreachable", "nobody answers; with keys: is this one allowed there, and POINTSMAN_BROKER_KEY the broker's?")

def acquire_at(endpoint, key, request, end, way=(), last=False):
    """A grant by this broker, or by one below that it sends us to; `way` are those that sent us here. Says hello first where
    there is another one to ask, so that no request is left with a broker that does not answer."""
    broker, way, again = link(endpoint, key), [*way, endpoint], {"exclude": []}
    if not last:
        ask(broker, {"op": "hello"}, within=1500)
    while True:
        left = max(0, int(1000 * (end - time.monotonic())))
        try:
            grant, _ = ask(broker, {**request, **again, "wait_ms": left}, within=left + 5000)
        except Refusal:
            broker.linger = 1000  # what is told last shall arrive
            tell(broker, {"op": "cancel", "id": request["id"]})
            raise
        if grant.get("direct") != "broker":
            return grant
        passes.append(Pass(broker, grant))
        if grant["endpoint"] in way or len(way) == 4:
            raise Refusal("loop", f"brokers send it in a circle, or too far: {' '.join([*way, grant['endpoint']])}")
        try:
            return acquire_at(grant["endpoint"], grant.get("key", "").encode(), request, end, way)
        except Refusal as refusal:
            if refusal.args[0] not in ELSEWHERE or time.monotonic() > end:
                raise
        passes.pop()
        request = {**request, "id": str(uuid.uuid4())}
        again = {"failed": grant["session"], "exclude": [*again["exclude"], grant["worker"]][-8:]}

def acquire(service):
    """A grant by the first broker that gives one; which is asked first is up to chance, or where there is `home` to the service."""
    sources = os.environ.get("POINTSMAN_BROKER", "tcp://127.0.0.1:5570")
    brokers = places.find(sources, "clients", service, random.randrange(64))
    if not brokers:
        raise Refusal("unreachable", f"no broker was found at {sources}")
    request = {"op": "request", "id": str(uuid.uuid4()), "service": service}
    end = time.monotonic() + 5
    for left, (endpoint, key) in enumerate(brokers, 1 - len(brokers)):
        try:
            return acquire_at(endpoint, OWN and key_in(key or BROKER), request, end, last=not left)
        except Refusal as refusal:
            if not left or refusal.args[0] not in ELSEWHERE:
                raise

try:
    service, text = sys.argv[1:]
    grant = acquire(service)
    session, worker = grant["session"], link(grant["endpoint"], grant.get("key", "").encode())
    _, frames = ask(worker, {"op": "call", "session": session, "number": 1, "ticket": grant["ticket"]}, text.encode())
    ask(worker, {"op": "release", "session": session})
    sys.stdout.buffer.write(b"".join(frames))
except Refusal as refusal:
    sys.exit(": ".join(refusal.args))
finally:
    for held in passes:
        with contextlib.suppress(Refusal):  # its term ends it, too
            ask(held.broker, {"op": "release", "session": held.session}, within=1500)
