#!/usr/bin/python3
"""client.py SERVICE TEXT: asks the broker for a worker, calls it directly, releases it. Nothing but PROTOCOL.md."""
import os, sys, uuid, msgpack, zmq

def link(endpoint):
    socket = zmq.Context.instance().socket(zmq.DEALER)
    socket.linger = 0
    socket.connect(endpoint)
    return socket

def ask(socket, message, *payload, within=10_000):
    """Sends a message and returns its answer: the body and all payload frames."""
    socket.send_multipart([b"", msgpack.packb(message), *payload])
    frames = []
    while socket.poll(within):
        _, body, *more = socket.recv_multipart()
        answer, frames = msgpack.unpackb(body), frames + more
        if answer["op"] in ("refused", "failed"):
            sys.exit(f"{answer.get('code', 'failed')}: {answer.get('reason', '')} {answer.get('remedy', '')}")
        if not answer.get("more"):
            return answer, frames
    sys.exit("nobody answers")

service, text = sys.argv[1:]
broker = link(os.environ.get("POINTSMAN_BROKER", "tcp://127.0.0.1:5570"))
grant, _ = ask(broker, {"op": "request", "id": str(uuid.uuid4()), "service": service, "wait_ms": 5000})
session, worker = grant["session"], link(grant["endpoint"])
_, frames = ask(worker, {"op": "call", "session": session, "number": 1, "ticket": grant["ticket"]}, text.encode())
ask(worker, {"op": "release", "session": session})
sys.stdout.buffer.write(b"".join(frames))
