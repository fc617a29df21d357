"""Builds the peers and measures their scenarios: what the tables share."""
import glob
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TARGET = os.environ.get("CARGO_TARGET_DIR", os.path.join(HERE, "target"))
RESULTS = os.path.join(HERE, "results")
OURS = "xray-runtime"
START = time.monotonic()


def say(text):
    """Progress, on standard error: the table alone goes to standard output."""
    print(f"[{time.monotonic() - START:4.0f} s] {text}", file=sys.stderr, flush=True)


def output(command, seconds=120, **options):
    """Standard output of `command`, whose failure ends the run with what it wrote."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, **options)
    except subprocess.TimeoutExpired:
        sys.exit(f"{' '.join(command)}: not done after {seconds} s")
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr[-3000:]}")
    return done.stdout


def build(peers):
    """Builds each peer in an invocation of its own, so that no peer gets the features that another asks for."""
    for peer in peers:
        say(f"building {peer}")
        command = ["cargo", "build", "--quiet", "--release", "--package", f"peer-{peer}"]
        output(command, seconds=3600, cwd=HERE)


def binary(peer):
    return os.path.join(TARGET, "release", f"peer-{peer}")


def scenarios(peer):
    return output([binary(peer), "list"]).split()


def future_bytes(peer):
    return int(output([binary(peer), "future-bytes"]))


class Samples:
    """What the rounds of one scenario of one peer gave: {figure: [value of each round]}."""

    def __init__(self):
        self.rounds = {}

    def add(self, values):
        for figure, value in values.items():
            self.rounds.setdefault(figure, []).append(value)

    def least(self, figure):
        return min(self.rounds[figure])

    def median(self, figure):
        return statistics.median(self.rounds[figure])


def time_side_by_side(pairs, rounds, milliseconds):
    """{(peer, scenario): Samples}. In each round the peers take turns at a scenario, in the opposite order every second time,
    so that what else the machine does meets all of them; `pairs` lists (peer, scenario)."""
    samples = {pair: Samples() for pair in pairs}
    turns = sorted(pairs, key=lambda pair: (pair[1], pair[0]))
    for number in range(rounds):
        say(f"timing, round {number + 1} of {rounds}: {len(turns)} scenarios")
        turns.reverse()
        for peer, scenario in turns:
            told = output([binary(peer), "time", scenario, str(milliseconds)])
            samples[peer, scenario].add(json.loads(told))
    return samples


def deliver(peer, scenario, spans):
    """{"made", "received", "lost"} of a burst of `spans` and one flush; "lost" is what the peer itself counts."""
    return json.loads(output([binary(peer), "deliver", scenario, str(spans)]))


def instructions(peer, scenario, spans, caller_only=False):
    """Instructions a span by callgrind. The harness counts from after a warm-up on. `caller_only`: those of the thread that
    runs the instrumented code, flushes left out; else those of all threads, flushes included."""
    mode = "caller-instructions" if caller_only else "instructions"
    made, threads = callgrind([binary(peer), mode, scenario, str(spans)])
    return (threads[1] if caller_only else sum(threads.values())) / made


def callgrind(command):
    """What the command says that it made, and {thread: instructions} of what the harness has counted."""
    with tempfile.TemporaryDirectory() as folder:
        tool = [
            "valgrind", "--tool=callgrind", "--instr-atstart=no", "--separate-threads=yes", "--fair-sched=yes",
            f"--callgrind-out-file={folder}/out",
        ]
        made = int(output(tool + command, seconds=600))
        threads = {}
        for path in glob.glob(f"{folder}/out-*"):
            with open(path) as file:
                text = file.read()
            thread = int(re.search(r"^thread: (\d+)", text, re.M)[1])
            threads[thread] = int(re.search(r"^totals: (\d+)", text, re.M)[1])
    return made, threads


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|---" * len(header) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def reached_cell(pairs):
    """`pairs`: (value, reach), the value None where it was not measured."""
    bounded = [(value, reach) for value, reach in pairs if reach is not None]
    if not bounded:
        return "-"
    measured = [(value, reach) for value, reach in bounded if value is not None]
    missed = [f"{figure_text(value)} > {figure_text(reach)}" for value, reach in measured if value > reach]
    if missed:
        return "no: " + ", ".join(missed)
    return "yes" if len(measured) == len(bounded) else "not measured"


def figure_text(value):
    """A figure as the tables write it."""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def store(name, text):
    """Writes a file below benches/results/ and returns its path."""
    os.makedirs(RESULTS, exist_ok=True)
    path = os.path.join(RESULTS, name)
    with open(path, "w") as file:
        file.write(text)
    return path
