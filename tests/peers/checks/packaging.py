"""The command lines of the Dockerfile, the compose file and the systemd unit, run as they stand there, on port 2000."""
import contextlib
import fcntl
import json
import os
import re
import shlex
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

from harness import ROOT, Check, Missing, ask, cargo, metrics, python, run_through, until

PACKAGING = ROOT / "xray-daemon" / "packaging"
COMPOSE = ROOT / "examples" / "cruddur" / "docker-compose.yml"
OWN_NETWORK = "XRAY_PEERS_OWN_NETWORK"
# X-Ray at a port where nobody listens, and no metadata service: nothing leaves this machine, in whichever network.
NOWHERE = {"AWS_ENDPOINT_URL_XRAY": "http://127.0.0.1:9", "AWS_EC2_METADATA_DISABLED": "true"}
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example"}
DATAGRAM = b'{"format": "json", "version": 1}\n{"trace_id": "1-5759e988-bd862e3fe1be46a994272793"}'


def enter_own_network():
    """Runs this check anew in a network of its own, where port 2000 is free and nothing leaves the machine. Where the system
    allows none, it goes on in this one, and the port must be free."""
    if os.environ.pop(OWN_NETWORK, None):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            up = struct.pack("16sh14x", b"lo", 1)  # struct ifreq with IFF_UP
            fcntl.ioctl(any_socket, 0x8914, up)  # SIOCSIFFLAGS
        return
    unshare = ["unshare", "--user", "--map-root-user", "--net"]
    with contextlib.suppress(OSError):
        if subprocess.run([*unshare, "true"], stderr=subprocess.DEVNULL).returncode == 0:
            os.environ[OWN_NETWORK] = "1"
            os.execvp(unshare[0], [*unshare, sys.executable, "-B", *sys.argv])
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                # Connections of a daemon that has ended are no hindrance.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("0.0.0.0", 2000))
            except OSError as error:
                sys.exit(f"packaging: needs port 2000, or `unshare --user --net`: {error}")


def entrypoint():
    """What the image runs."""
    dockerfile = (PACKAGING / "Dockerfile").read_text()
    return json.loads(re.findall(r"^ENTRYPOINT (\[.*\])$", dockerfile, re.MULTILINE)[-1])


def service():
    """The daemon's service in the compose file, by a real parser of YAML."""
    parse = "import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.stdin)))"
    _, text, _ = run_through(python(), "-c", parse, text=COMPOSE.read_text())
    return json.loads(text)["services"]["xray-daemon"]


def unit(key):
    """A setting of the systemd unit."""
    return re.search(rf"^{key}=(.*)$", (PACKAGING / "xray.service").read_text(), re.MULTILINE)[1]


def stays_up(check, what, command, **environment):
    """Starts it, asks it on port 2000; the daemon, to be ended."""
    daemon = check.run(*command, **KEYS, **NOWHERE, **environment)
    until(f"an answer on port 2000 to {what}", lambda: daemon.process.poll() is not None or reachable())
    if daemon.process.poll() is not None:
        raise Missing(f"{what} that stays up; it wrote {daemon.out} and {daemon.err}")
    status, headers, body = ask(2000, "/health")
    check.equal(f"{what}: /health", (status, headers["Content-Type"]), (200, "application/json"))
    check.holds(f"{what}: /health is JSON", body, "an object", isinstance(json.loads(body), dict))
    check.equal(f"{what}: /metrics, nothing yet", metrics(2000, "datagrams_received_total"), [0])
    check.equal(f"{what}: `status`", run_through(command[0], "status")[0], 0)
    return daemon


def told_in_readme(check, program, page):
    """The daemon's README names each flag of its help, and each metric of its page."""
    readme = (ROOT / "xray-daemon" / "README.md").read_text()
    help_text = run_through(program, "-h")[1]
    flags = re.findall(r"^ +(?:-(\w), )?--([\w-]+)(?: <(\w+)>)?  ", help_text, re.MULTILINE)
    check.holds("flags in the help", len(flags), "16 or more", len(flags) >= 16)
    rows = re.findall(r"^\| (?:`-(\w)`, )?`--([\w-]+)(?: (\w+))?` \|.* \| (?:yes|no) \|$", readme, re.MULTILINE)
    check.equal("flags of the README and of the help", sorted(rows), sorted(flags))
    metrics = set(re.findall(r"^# TYPE xray_daemon_(\w+) ", page, re.MULTILINE))
    told = {name.removesuffix("_total") for name in re.findall(r"`(\w+)`", readme)}
    check.equal("metrics that the README does not name", sorted(metrics - told), [])


def examples_work(check, program, folder):
    """The configuration and the sampling rules of the daemon's README."""
    readme = (ROOT / "xray-daemon" / "README.md").read_text()
    config, rules = Path(folder, "cfg.yaml"), Path(folder, "rules.json")
    for file, language in ((config, "yaml"), (rules, "json")):
        [block] = re.findall(rf"^```{language}\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
        file.write_text(block)
    daemon, _, tcp = check.relay(program, "http://127.0.0.1:9", "-c", config, "--sampling-rules", rules)
    port = int(tcp.rpartition(":")[2])
    records = json.loads(ask(port, "/GetSamplingRules", "POST", "{}")[2])["SamplingRuleRecords"]
    names = [record["SamplingRule"]["RuleName"] for record in records]
    check.equal("the rules of the README", names, ["health", "Cruddur", "Default"])
    warnings = [line for line in daemon.out if "[Info]" not in line and "receive buffer" not in line]
    check.equal("warnings of the README's configuration and rules", warnings, [])
    check.equal("the end of the README's configuration on SIGTERM", daemon.stop(), 0)


def reachable():
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", 2000)):
        return True


program = cargo("xray-daemon")
python()  # both made while there is a network
enter_own_network()
with Check() as check:
    image, compose = entrypoint(), service()
    check.equal("the entrypoint", image, ["/usr/bin/xray", "-t", "0.0.0.0:2000", "-b", "0.0.0.0:2000"])
    check.equal("the command of the compose file", compose["command"], ["xray -o -b xray-daemon:2000"])
    check.equal("its region", compose["environment"]["AWS_REGION"], "us-east-1")
    command = [program, *image[1:], *compose["command"]]
    daemon = stays_up(check, "the compose file", command, AWS_REGION=compose["environment"]["AWS_REGION"])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(DATAGRAM, ("127.0.0.1", 2000))
    until("the datagram in /metrics", lambda: metrics(2000, "datagrams_received_total") == [1])
    # With no way to AWS it tries for as long as a container has to end, and says what it could not send.
    check.equal("the compose file: its end on SIGTERM", daemon.stop(), 0)
    account = [line for line in daemon.out if "Received 1 segments: 0 sent" in line and "shutdown 1" in line]
    check.equal("the compose file: lines that account for the segment", len(account), 1)

    drop_in = [program, "-o", "-b", "127.0.0.1:2000", "-n", "us-east-1"]
    daemon = stays_up(check, "the drop-in", drop_in)
    told_in_readme(check, program, ask(2000, "/metrics")[2].decode())
    check.equal("the drop-in: its end on SIGTERM", daemon.stop(), 0)

    # As the unit runs it, but for where the log is.
    with tempfile.TemporaryDirectory() as folder:
        words = shlex.split(unit("ExecStart"))
        check.equal("the unit's program and log", words, ["/usr/bin/xray", "-f", "/var/log/xray/xray.log"])
        log = Path(folder, "xray.log")
        daemon = stays_up(check, "the unit", [program, *words[1:-1], log], AWS_REGION="us-east-1")
        check.equal("the unit: its end on SIGTERM", daemon.stop(), 0)
        lines = log.read_text().splitlines() if log.exists() else []
        form = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d) \[\w+\] .+"
        check.holds("the unit's log", lines, "lines of the AWS daemon's form",
                    lines and all(re.fullmatch(form, line) for line in lines))
        examples_work(check, program, folder)
        if shutil.which("systemd-analyze"):
            # It wants the program to be where the unit says.
            copy = Path(folder, "xray.service")
            copy.write_text((PACKAGING / "xray.service").read_text().replace(words[0], program))
            check.equal("`systemd-analyze verify`", run_through("systemd-analyze", "verify", copy), (0, "", ""))
