#!/usr/bin/python3
"""client.py SERVICE TEXT: asks the broker for a worker, calls it directly, releases it. Nothing but PROTOCOL.md.

POINTSMAN_BROKER may name several brokers, and places to look for some (brokers.py): they are asked in sequence until one grants.
With POINTSMAN_KEY (a file that `pointsman keys make` wrote) and POINTSMAN_BROKER_KEY it encrypts.
"""
import os, random, sys, uuid, msgpack, zmq
import brokers as places

OWN, BROKER = os.environ.get("POINTSMAN_KEY"), os.environ.get("POINTSMAN_BROKER_KEY")

def key_in(file, half="public"):
    """A key in a file of keys; or itself, if it is no file."""
    lines = open(file).readlines() if os.path.exists(file) else [f"public {file}"]
    return next(line.split()[1] for line in lines if line.startswith(half + " ")).encode()

def link(endpoint, key):
    """A connection to somebody with this public key; None: not encrypted."""
    socket = zmq.Context.instance().socket(zmq.DEALER)
    socket.linger, socket.ipv6 = 0, True
    if key:
        socket.curve_serverkey = key
        socket.curve_publickey, socket.curve_secretkey = key_in(OWN), key_in(OWN, "secret")
    socket.connect(endpoint)
    return socket

class Refusal(Exception):
    """What somebody does not do, and why."""

def ask(socket, message, *payload, within=10_000):
    """Sends a message and returns its answer: the body and all payload frames."""
    socket.send_multipart([b"", msgpack.packb(message), *payload])
    frames = []
    while socket.poll(within):
        _, body, *more = socket.recv_multipart()
        answer, frames = msgpack.unpackb(body), frames + more
        if answer["op"] in ("refused", "failed"):
            raise Refusal(f"{answer.get('code', 'failed')}: {answer.get('reason', '')} {answer.get('remedy', '')}")
        if not answer.get("more"):
            return answer, frames
    raise Refusal("nobody answers; with keys: is this one allowed there, and POINTSMAN_BROKER_KEY the broker's?")

def acquire(service):
    """A grant by the first broker that gives one; which is asked first is up to chance. Says hello first where there is
    another one, so that no request is left with a broker that does not answer."""
    sources = os.environ.get("POINTSMAN_BROKER", "tcp://127.0.0.1:5570")
    brokers = places.find(sources)
    if not brokers:
        raise Refusal(f"unreachable: no broker was found at {sources}")
    first, request = random.randrange(len(brokers)), {"op": "request", "id": str(uuid.uuid4()), "service": service}
    for left, (endpoint, key) in enumerate(brokers[first:] + brokers[:first], 1 - len(brokers)):
        broker = link(endpoint, OWN and key_in(key or BROKER))
        try:
            if left:
                ask(broker, {"op": "hello"}, within=1500)
            return ask(broker, {**request, "wait_ms": 5000})[0]
        except Refusal:
            if not left:
                raise

try:
    service, text = sys.argv[1:]
    grant = acquire(service)
    session, worker = grant["session"], link(grant["endpoint"], grant.get("key", "").encode())
    _, frames = ask(worker, {"op": "call", "session": session, "number": 1, "ticket": grant["ticket"]}, text.encode())
    ask(worker, {"op": "release", "session": session})
    sys.stdout.buffer.write(b"".join(frames))
except Refusal as refusal:
    sys.exit(str(refusal))
