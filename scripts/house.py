"""A broker and workers in a folder of their own, that use no fixed port and leave nothing behind; and a link to them.

For the demonstration and the tests of the scripts; needs /usr/bin/python3 with zmq and msgpack.
"""
import os, pathlib, shutil, signal, subprocess, tempfile, threading, time
import msgpack, zmq


class Failure(Exception):
    """Why it cannot go on: a process that does not start, an answer that does not come."""


class House:
    """Processes and their folder. Use it in a `with`; all ends with it."""

    def __init__(self, program):
        self.program = str(pathlib.Path(program).resolve())
        self.folder = tempfile.mkdtemp(prefix="pointsman-")
        self.clients, self.workers = f"ipc://{self.folder}/clients", f"ipc://{self.folder}/workers"
        config = pathlib.Path(self.folder, "pointsman.toml")
        config.write_text(f'[broker]\nclients = "{self.clients}"\nworkers = "{self.workers}"\n')
        self.environment = {**os.environ, "POINTSMAN": self.program, "POINTSMAN_CONFIG": str(config),
                            "POINTSMAN_BROKER": self.clients, "POINTSMAN_WORKERS": self.workers}
        self.running, self.links = {}, []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def broker(self):
        return self.start("broker", self.program, "broker")

    def worker(self, name, *arguments):
        return self.start(name, self.program, "worker", "--name", name, *arguments)

    def start(self, name, *command):
        """Starts a process and returns its first line, which must begin with `ready`, within ten seconds."""
        log = pathlib.Path(self.folder, f"{name}.log")
        with log.open("w") as errors:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, stdin=subprocess.DEVNULL,
                                       text=True, start_new_session=True, env=self.environment)
        self.running[name] = process
        watchdog = threading.Timer(10, process.kill)
        watchdog.start()
        line = process.stdout.readline()
        watchdog.cancel()
        if not line.startswith("ready "):
            raise Failure(f"{name} did not start: {log.read_text().strip() or line.strip() or 'it said nothing'}")
        return line

    def link(self, endpoint=None):
        """A link to the broker, or to an endpoint, that is closed with the house."""
        self.links.append(Link(endpoint or self.clients))
        return self.links[-1]

    def stop(self, name, within=5):
        """Asks a process to stop and returns its exit code; what it started is gone, too."""
        process = self.running.pop(name)
        process.terminate()
        try:
            process.wait(within)
        except subprocess.TimeoutExpired:
            pass
        self.sweep(process)
        return process.returncode

    def sweep(self, process):
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
        process.stdout.close()

    def close(self):
        for process in self.running.values():
            process.terminate()
        for name in reversed(list(self.running)):
            self.stop(name)
        for link in self.links:
            link.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Link:
    """A connection to a broker or a worker: questions and their answers. For one thread."""

    def __init__(self, endpoint):
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.connect(endpoint)

    def tell(self, message, *payload):
        self.socket.send_multipart([b"", msgpack.packb(message), *payload])

    def hear(self, within):
        """The next message and its payload; None if `within` milliseconds pass."""
        if not self.socket.poll(within):
            return None, []
        _, body, *payload = self.socket.recv_multipart()
        return msgpack.unpackb(body), payload

    def ask(self, message, within=20_000):
        self.tell(message)
        answer, _ = self.hear(within)
        if answer is None:
            raise Failure(f"no answer to {message['op']} within {within} ms")
        if answer["op"] == "refused":
            raise Failure(f"{message['op']} was refused: {answer['code']}, {answer.get('reason', '')}")
        return answer

    def close(self):
        self.socket.close()


def until(condition, within, what):
    """Waits until `condition()` holds and returns what it gave; Failure after `within` seconds."""
    ends = time.monotonic() + within
    while not (result := condition()):
        if time.monotonic() > ends:
            raise Failure(f"not within {within} s: {what}")
        time.sleep(0.05)
    return result
