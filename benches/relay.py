"""A daemon between what sends to it and what it relays to: starts them, watches them, ends them."""
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

import measure
from measure import say

LOAD = "daemon-load"
TICKS = os.sysconf("SC_CLK_TCK")


def send(daemon, segments, rate):
    """What the sender says of `segments` at `rate` a second; 0 is as many as go."""
    return json.loads(measure.output([measure.binary(LOAD), "send", daemon.address, str(segments), str(rate)], seconds=600))


class Upstream:
    """The AWS X-Ray of a run, in a process of its own."""

    def __init__(self, delay):
        self.command = [measure.binary(LOAD), "upstream", str(delay)]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = f"http://{self.process.stdout.readline().strip()}"
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()

    def counts(self):
        try:
            with urllib.request.urlopen(f"{self.url}/counts", timeout=60) as answer:
                return json.load(answer)
        except OSError as error:
            sys.exit(f"the upstream at {self.url}, exit {self.process.poll()}: {error}")


class Setup:
    """How a daemon is started: its binary, what stands before it on the command line, whether a file tells it the upstream, the
    limit of receive buffers meanwhile, and how long start and end may take."""

    def __init__(self, binary, before=(), by_file=False, rmem_max=None, timeout=20):
        self.binary, self.before, self.by_file = binary, list(before), by_file
        self.rmem_max, self.timeout = rmem_max, timeout


RMEM_MAX = "/proc/sys/net/core/rmem_max"


def rmem_max():
    with open(RMEM_MAX) as file:
        return int(file.read())


@contextlib.contextmanager
def limited(limit):
    """Sets the system's limit of receive buffers for as long as this lasts."""
    before = rmem_max()
    if limit in (None, before):
        yield
        return

    def write(value):
        with open(RMEM_MAX, "w") as file:
            file.write(str(value))

    write(limit)
    try:
        yield
    finally:
        write(before)


class Daemon:
    """A daemon in a process of its own, and what the kernel and its own metrics say of it. Its folder is an empty one, its
    environment has keys and nothing else that it heeds."""

    def __init__(self, setup, upstream):
        self.setup, self.upstream = setup, upstream
        self.folder = tempfile.TemporaryDirectory()
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.peak_kb, self.sampling = 0, threading.Event()

    def __enter__(self):
        flags = ["-o", "-b", self.address, "-t", self.address, "-n", "us-east-1"]
        if self.setup.by_file:
            file = os.path.join(self.folder.name, "cfg.yaml")
            with open(file, "w") as config:
                config.write(f'Version: 2\nEndpoint: "{self.upstream.url}"\n')
            flags += ["-c", file]
        else:
            flags += ["--endpoint", self.upstream.url]
        unwanted = re.compile(r"AWS_|XRAY_|ECS_|RUST_|.*_proxy$", re.IGNORECASE)
        environment = {name: value for name, value in os.environ.items() if not unwanted.match(name)}
        environment |= {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}
        self.log = open(os.path.join(self.folder.name, "log"), "w+")
        command = [*self.setup.before, self.setup.binary, *flags]
        with limited(self.setup.rmem_max):
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, cwd=self.folder.name, env=environment
            )
            try:
                self.await_ready()
            except BaseException:
                self.__exit__()
                raise
        return self

    def __exit__(self, *_):
        self.sampling.set()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(self.setup.timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            say(f"the daemon did not end within {self.setup.timeout} s of SIGTERM")
            self.process.wait()
        if self.process.returncode:
            say(f"the daemon ended with {self.process.returncode}: {self.logged()}")
        self.log.close()
        self.folder.cleanup()

    def logged(self):
        self.log.seek(0)
        return self.log.read()[-3000:]

    def await_ready(self):
        """Until both of its ports are open."""
        end = time.monotonic() + self.setup.timeout
        while time.monotonic() < end:
            if self.process.poll() is not None:
                sys.exit(f"the daemon did not start, exit {self.process.returncode}:\n{self.logged()}")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                if self.kernel_drops() is not None:
                    return
            time.sleep(0.01)
        sys.exit(f"the daemon does not listen on {self.address}:\n{self.logged()}")

    def status_kb(self, name):
        with open(f"/proc/{self.process.pid}/status") as file:
            return int(re.search(rf"^{name}:\s+(\d+) kB", file.read(), re.M)[1])

    def cpu_s(self):
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def kernel_drops(self):
        """Datagrams that found its sockets full; None where it has none."""
        with open("/proc/net/udp") as file:
            rows = [line.split() for line in file]
        drops = [int(row[-1]) for row in rows if row[1].endswith(f":{self.port:04X}")]
        return sum(drops) if drops else None

    def metrics(self):
        """{name and labels: value} of its /metrics; empty where it has none."""
        try:
            with urllib.request.urlopen(f"http://{self.address}/metrics", timeout=10) as answer:
                lines = answer.read().decode().splitlines()
        except (urllib.error.URLError, TimeoutError):
            return {}
        pairs = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    def sample_memory(self):
        """Keeps the largest RssAnon from now on."""

        def sample():
            while not self.sampling.wait(0.05):
                with contextlib.suppress(OSError, TypeError):
                    self.peak_kb = max(self.peak_kb, self.status_kb("RssAnon"))

        threading.Thread(target=sample, daemon=True).start()


def free_port():
    """One that is free for UDP and TCP."""
    while True:
        with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            with contextlib.suppress(OSError):
                udp.bind(tcp.getsockname())
                return tcp.getsockname()[1]


def drained(daemon, upstream, sent):
    """The upstream's counts once no more comes: for a second where all is there, else for three."""
    last, since = None, time.monotonic()
    while True:
        counts = upstream.counts()
        if counts["requests"] != last:
            last, since = counts["requests"], time.monotonic()
        accounted = counts["distinct"] + daemon.kernel_drops()
        if time.monotonic() - since > (1 if accounted >= sent else 3):
            return counts
        time.sleep(0.1)
