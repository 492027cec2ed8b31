#!/usr/bin/python3
"""below.py SERVICE ENDPOINT [WEIGHT [KEY]]: registers a broker that clients reach at ENDPOINT, with KEY, as a worker of another one.

The least that PROTOCOL.md, "Tiers", asks for, on top of the worker in scripts/python. POINTSMAN_WORKERS says who is above.
Unlike `pointsman uplink` it also registers brokers that are dead, or have no worker, which is what it is for.
"""
import os, pathlib, signal, sys, time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts/python"))
from worker import Worker


class Below(Worker):
    """A worker whose sessions are passes: open from their assignment until they are released or their term is over."""

    def __init__(self, service, endpoint, weight=1, key=""):
        self.place = {"direct": "broker", "endpoint": endpoint, "key": key, "services": [{"service": service, "weight": int(weight)}]}
        super().__init__(service, 100, os.environ["POINTSMAN_WORKERS"])

    def tell(self, op, **fields):
        super().tell(op, **{**fields, **(self.place if op == "register" else {})})

    def from_broker(self, message):
        super().from_broker(message)
        for assigned in message["sessions"] if message["op"] == "assign" else []:
            session = self.sessions.get(assigned["session"])
            if session and not session.peer:
                session.peer, session.begun, session.term = b"a pass", time.monotonic(), assigned["term_ms"] / 1000
                self.touch(assigned["session"])
                self.note(session=assigned["session"])


if __name__ == "__main__":
    below = Below(*sys.argv[1:])
    signal.signal(signal.SIGTERM, lambda *_: setattr(below, "leaving", time.monotonic()))
    while below.turn():
        pass
    below.leave()
    os._exit(0)
