"""What the checks share: peers in their environment, programs whose lines are awaited, a tap on UDP, the count."""
import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PATIENCE = 60  # seconds until what is awaited counts as missing: for a busy machine


class Missing(Exception):
    """What was awaited did not come."""


def python():
    """The Python that has the packages of python/requirements.txt, each made ready once and kept under target/."""
    wanted = HERE / "python" / "requirements.txt"
    environment = ROOT / "target" / "peers" / "venv"
    interpreter, complete = environment / "bin" / "python", environment / "complete.txt"
    if not (interpreter.exists() and complete.exists() and complete.read_text() == wanted.read_text()):
        print("making target/peers/venv", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", environment], check=True)
        install = [interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", wanted]
        # From the folders of wheels that pip's own settings name, if they have all; no index is asked then.
        if subprocess.run([*install, "--no-index"], stderr=subprocess.DEVNULL).returncode != 0:
            subprocess.run(install, check=True)
        # Last: an environment that is half made is made anew.
        shutil.copyfile(wanted, complete)
    return interpreter


def cargo(package, features=""):
    """Builds a package's program; returns its path."""
    command = ["cargo", "build", "--quiet", "--package", package, "--bin", package, "--features", features]
    command.append("--message-format=json-render-diagnostics")
    built = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    messages = map(json.loads, built.stdout.splitlines())
    return next(message["executable"] for message in messages if message.get("executable"))


def environment_with(more):
    """The caller's variables, and more. Neither the caller's settings nor a proxy may stand between the parts."""
    foreign = re.compile("aws_.*|_x_amzn_.*|rollbar_.*|.*_proxy", re.IGNORECASE)
    inherited = {name: value for name, value in os.environ.items() if not foreign.fullmatch(name)}
    return {**inherited, **more}


def run_through(*command, text=""):
    """Runs a program to its end with this on its standard input; returns exit code, standard output and error."""
    command = list(map(str, command))
    done = subprocess.run(
        command, input=text, capture_output=True, encoding="utf-8", env=environment_with({}), timeout=PATIENCE
    )
    return done.returncode, done.stdout, done.stderr


def x_ray(endpoint, *calls, region="us-east-1"):
    """The answers to calls of the X-Ray API, (operation, parameters) each, through boto3."""
    script = HERE / "python" / "xray_api.py"
    code, answers, said = run_through(python(), script, endpoint, region, text=json.dumps(calls))
    if code != 0:
        raise Missing(f"answers from {endpoint} to {[name for name, _ in calls]}: {said}")
    return json.loads(answers)


def until(what, of):
    """What `of` returns once that is neither None nor False, for what no line tells of: it is asked again and again."""
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        if found := of():
            return found
        time.sleep(0.02)  # for what works meanwhile
    raise Missing(what)


class Program:
    """A running program. Its lines are kept as they come: `out` and `err`."""

    def __init__(self, *command, **environment):
        self.name = next(Path(word).name for word in command if not word.endswith("python"))
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
            errors="replace", env=environment_with(environment),
        )
        self.changed = threading.Condition()
        self.out, self.err = [], []
        streams = [(self.process.stdout, self.out), (self.process.stderr, self.err)]
        self.open = len(streams)
        self.readers = [threading.Thread(target=self._read, args=pair, daemon=True) for pair in streams]
        for reader in self.readers:
            reader.start()

    def _read(self, stream, lines):
        for line in stream:
            with self.changed:
                lines.append(line.rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.open -= 1
            self.changed.notify_all()

    def wait(self, what, of):
        """What `of` returns once that is neither None nor False; it is asked again after each line."""
        with self.changed:
            self.changed.wait_for(lambda: of() or self.open == 0, PATIENCE)
            if not (found := of()):
                raise Missing(f"{what}, from {self.name}; it wrote {self.out[-20:]} and {self.err[-20:]}")
            return found

    def line(self, pattern, lines):
        """The first of `out` or `err` that has the pattern, as a match."""
        return self.wait(pattern, lambda: next(filter(None, (re.search(pattern, line) for line in lines)), None))

    def stop(self):
        """Asks it to end and returns its exit code; all it wrote is in `out` and `err` then."""
        self.process.terminate()
        try:
            code = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        for reader in self.readers:
            reader.join()
        return code


class Check:
    """Counts what holds, prints what does not, and ends every program that it started."""

    def __init__(self):
        self.passed = self.failed = 0
        self.programs = contextlib.ExitStack()

    def __enter__(self):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        return self

    def __exit__(self, _kind, error, _trace):
        self.programs.close()
        if isinstance(error, Missing):
            self.fail("the run to its end", "what is awaited", error)
        elif isinstance(error, Exception):
            traceback.print_exception(error)
            self.fail("the run to its end", "no exception", repr(error))
        elif error:
            return False  # interrupted
        print(f"{self.passed} passed, {self.failed} failed")
        sys.exit(1 if self.failed else 0)

    def run(self, *command, **environment):
        program = Program(*map(str, command), **environment)
        self.programs.callback(program.stop)
        return program

    def tail(self, daemon, *options, udp="127.0.0.1:0", tcp="127.0.0.1:0"):
        """A daemon that prints each trace and each item; and the addresses where it listens, by UDP and by TCP. A port that is
        free by UDP may be taken by TCP: each is asked for."""
        program = self.run(daemon, "tail", *options, "-b", udp, "-t", tcp)
        return program, *program.line(r"listening on UDP (\S+); TCP (\S+); Ctrl-C ends it", program.err).groups()

    def relay(self, daemon, upstream, *options, region="us-east-1", **environment):
        """The drop-in, which sends on to the API at this URL; and where it listens, by UDP and by TCP."""
        listens = ["-b", "127.0.0.1:0", "-t", "127.0.0.1:0"]
        keys = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example"}
        options = ["-o", *listens, "-n", region, "--endpoint", upstream, *options]
        program = self.run(daemon, *options, **keys, **environment)
        udp = program.line(r"\[Info\] Listening on UDP (\S+)", program.out)[1]
        return program, udp, program.line(r"\[Info\] Starting proxy http server on (\S+)", program.out)[1]

    def moto(self):
        """moto's server, which answers as AWS does; and its URL."""
        program = self.run(python().parent / "moto_server", "-H", "127.0.0.1", "-p", "0")
        return program, program.line(r"Running on (http://\S+)", program.err)[1]

    def flask(self, daemon_address, **environment):
        """The Python app that is traced; and its port."""
        return self.python_app("cruddur.py", AWS_XRAY_DAEMON_ADDRESS=daemon_address, **environment)

    def python_app(self, name, **environment):
        """A Python app; and its port."""
        program = self.run(python(), HERE / "python" / name, **environment)
        return program, int(program.line(r"listening on http://127.0.0.1:(\d+)", program.out)[1])

    def cruddur(self, udp, tcp, **environment):
        """The Rust app, which sends its traces and reports there; and its port. It takes the next one too: where another
        program was faster, it is tried again."""
        program = cargo("cruddur")
        for attempt in range(5):
            port = two_free_ports()
            sends = {"AWS_XRAY_DAEMON_ADDRESS": udp, "ROLLBAR_ENDPOINT": f"http://{tcp}"}
            app = self.run(program, PORT=str(port), **sends, **environment)
            try:
                app.line("Cruddur listens on", app.out)
                return app, port
            except Missing:
                if attempt == 4 or not any("is taken" in line for line in app.err):
                    raise

    def fail(self, what, expected, got):
        self.failed += 1
        print(f"FAILED {what}\n  expected {expected}\n  got      {got}")

    def equal(self, what, got, expected):
        if got == expected:
            self.passed += 1
        else:
            self.fail(what, expected, got)

    def holds(self, what, got, expected, condition):
        """`condition` is true of what was got; `expected` says it in words."""
        if condition:
            self.passed += 1
        else:
            self.fail(what, expected, got)


class Tap:
    """Stands before a daemon on UDP: keeps each document, and sends each datagram on as it came. Or in the place of one."""

    def __init__(self, daemon=None):
        self.datagrams = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        threading.Thread(target=self._pass_on, args=(daemon,), daemon=True).start()

    def _pass_on(self, daemon):
        if daemon:
            host, port = daemon.rsplit(":", 1)
        while True:
            datagram = self.socket.recv(65536)
            # Kept first: whoever has seen the daemon's line finds the document here.
            self.datagrams.append(datagram)
            if daemon:
                self.socket.sendto(datagram, (host, int(port)))

    def documents(self):
        return [json.loads(datagram.partition(b"\n")[2]) for datagram in self.datagrams]


def two_free_ports():
    """The first of two TCP ports in a row that were free a moment ago."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            with contextlib.suppress(OSError, OverflowError):
                second.bind(("127.0.0.1", port + 1))
                return port


def json_line(tail, trace):
    """What `tail --format json` says of the trace, once it does."""

    def of_trace():
        lines = (line for line in map(json.loads, tail.out) if "spans" in line)  # no items
        return next((line for line in lines if line["trace_id"] == trace), None)

    return tail.wait(f"a line for {trace}", of_trace)


def metrics(port, *names):
    """What a daemon's /metrics says of these, named without `xray_daemon_`; the sum where labels part one and none are given."""
    status, _, page = ask(port, "/metrics")
    lines = [line for line in page.decode().splitlines() if status == 200 and not line.startswith("#")]
    values = [re.fullmatch(r"xray_daemon_(\w+)(\{.*\})? (\S+)", line).groups("") for line in lines]
    return [sum(float(value) for name, labels, value in values if wanted in (name, name + labels)) for wanted in names]


def ask(port, path, method="GET", body=None, **headers):
    """Status, headers and body of the answer; header names are written with `_` for `-`."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()
