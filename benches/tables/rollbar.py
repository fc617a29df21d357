"""What a report to Rollbar costs the thread that makes it, what it costs to deliver, and what a burst loses."""
import argparse
import json
import statistics
import subprocess
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import measure
from measure import figure_text, reached_cell, say, table

OURS, PEERS = "rollbar-runtime", ["sentry", "rollbar"]
VERSIONS = {"sentry": "sentry 0.49", "rollbar": "rollbar 0.7"}
BURST = 20_000

CALLER_NS, CALLER_P99, CPU_US, WALL_US = "caller_ns", "caller_ns_p99", "cpu_us", "wall_us"
# What is reported: (label, nanoseconds that it may take its caller).
REPORTS = {
    "message": ("a message", 1_000),
    "error": ("an error without a backtrace", 2_000),
    "error-frames": ("an error with a backtrace of 30 frames", 15_000),
}
DELIVERY_CPU_US = 50
SHAPES, STATES = ("sync", "async"), {"on": "Rollbar installed", "off": "disabled"}
OK_NS = 5
OK_CALLS = 4_000


class Sink:
    """The HTTP server that all of them report to, in a process of its own."""

    def __enter__(self):
        command = [f"{measure.TARGET}/release/http-sink"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.address = self.process.stdout.readline().strip()
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()

    def counts(self):
        with urllib.request.urlopen(f"http://{self.address}/counts", timeout=60) as answer:
            return json.load(answer)


class Figures:
    """What was measured: samples of reports by (peer, scenario), of successful calls by scenario, and instructions."""

    def __init__(self):
        self.samples = {}
        self.calls = {}
        self.instructions = {}
        self.bursts = {}

    def median(self, peer, scenario, figure):
        samples = self.samples.get((peer, scenario))
        return samples.median(figure) if samples and figure in samples.rounds else None

    def over_plain(self, shape, state):
        """Nanoseconds that a call takes above one of the plain function, of the median round."""
        if not self.calls:
            return None
        pairs = zip(self.calls[f"ok-{shape}-{state}"], self.calls[f"ok-{shape}-plain"])
        return max(statistics.median(call - plain for call, plain in pairs), 0)

    def instructions_over_plain(self, shape, state):
        of = [self.instructions.get((OURS, f"ok-{shape}-{which}")) for which in (state, "plain")]
        return None if None in of else of[0] - of[1]


def report(sink, peer, mode, scenario, amount):
    """What the peer says of its reports. All of them have to have arrived: else their queue was full, or merged them."""
    before = sink.counts()["items"]
    command = [measure.binary(peer), mode, scenario, str(amount), sink.address]
    told = json.loads(measure.output(command, seconds=600).splitlines()[-1])
    arrived = sink.counts()["items"] - before
    if arrived != told["made"]:
        say(f"{peer} {mode} {scenario}: of {told['made']:,} reports {arrived:,} arrived")
    return told


def take_times(figures, sink, names, rounds, reports):
    """In each round the peers take turns, in the opposite order every second time."""
    turns = [(peer, scenario) for scenario in REPORTS for peer in names]
    calls = [f"ok-{shape}-{state}" for shape in SHAPES for state in ("plain", *STATES)]
    for number in range(rounds):
        say(f"timing, round {number + 1} of {rounds}")
        turns.reverse()
        calls.reverse()
        for peer, scenario in turns:
            samples = figures.samples.setdefault((peer, scenario), measure.Samples())
            # One that looks names up on its caller takes a thousand times as long.
            amount = reports // 5 if peer != OURS and scenario == "error-frames" else reports
            for mode in ("caller", "delivery"):
                samples.add(report(sink, peer, mode, scenario, amount))
        for scenario in calls:
            command = [measure.binary(OURS), "calls", scenario, "150", sink.address]
            told = json.loads(measure.output(command))
            figures.calls.setdefault(scenario, []).append(told["call_ns"])


def count_instructions(figures, sink, names):
    """Two at a time: counts do not mind a busy machine."""
    work = [(peer, "instructions", scenario, 1_000 if peer == OURS else 100) for peer in names for scenario in REPORTS]
    if OURS in names:
        states = [f"ok-{shape}-{state}" for shape in SHAPES for state in ("plain", *STATES)]
        work += [(OURS, "call-instructions", scenario, OK_CALLS) for scenario in states]
    say(f"counting the instructions of {len(work)} scenarios")

    def count(item):
        peer, mode, scenario, amount = item
        made, threads = measure.callgrind([measure.binary(peer), mode, scenario, str(amount), sink.address])
        return (peer, scenario), threads[1] / made

    with ThreadPoolExecutor(2) as pool:
        figures.instructions.update(pool.map(count, work))


def burst(sink, peer):
    """{"delivered", "coalesced", "dropped", "silent", ..} of a burst of distinct errors."""
    say(f"a burst of {BURST:,} errors from {peer}")
    before = sink.counts()
    command = [measure.binary(peer), "burst", "error", str(BURST), sink.address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    after = sink.counts()
    items = after["items"] - before["items"]
    if done.returncode:
        return {"delivered": items, "coalesced": 0, "dropped": 0, "silent": BURST - items, "died": done.returncode}
    told = json.loads(done.stdout.splitlines()[-1])
    # The report after the burst is one of these items.
    delivered = items - 1
    dropped = told["dropped"] + after["told"] - before["told"]
    accounted = delivered + told["coalesced"] + dropped + told["pending"]
    return {**told, "delivered": delivered, "dropped": dropped, "silent": BURST - accounted}


def burst_text(of):
    text = f"{of['delivered']:,} / {of['coalesced']:,} / {of['dropped']:,} / {of['silent']:,}"
    if of.get("pending"):
        text += f", {of['pending']:,} pending"
    if of.get("panicked"):
        text += f", {of['panicked']:,} panics in the caller"
    return text + (f", died ({of['died']})" if "died" in of else "")


def text_of(value):
    return "-" if value is None else figure_text(value)


def best(values):
    """`value (peer)` of the least."""
    value, peer = min(((value, peer) for peer, value in values.items() if value is not None), default=(None, None))
    return "-" if value is None else f"{figure_text(value)} ({VERSIONS[peer]})"


def best_of(figures, names, scenario, figure):
    return best({peer: figures.median(peer, scenario, figure) for peer in names if peer != OURS})


def best_instructions(figures, names, scenario):
    return best({peer: figures.instructions.get((peer, scenario)) for peer in names if peer != OURS})


def caller_cells(figures, names, scenario):
    label, reach = REPORTS[scenario]
    ns, instructions = figures.median(OURS, scenario, CALLER_NS), figures.instructions.get((OURS, scenario))
    peers = f"{best_of(figures, names, scenario, CALLER_NS)}; {best_instructions(figures, names, scenario)}"
    return [
        f"{label}: caller's thread, p50 ns; instr", f"{text_of(ns)}; {text_of(instructions)}",
        peers, f"{reach:,}; -", reached_cell([(ns, reach)]),
    ]


def ok_cells(figures, state):
    ns = [figures.over_plain(shape, state) for shape in SHAPES]
    instructions = [figures.instructions_over_plain(shape, state) for shape in SHAPES]
    ours = "; ".join(" / ".join(map(text_of, values)) for values in (ns, instructions))
    label = f"Ok path of `#[rollbar_report]`, {STATES[state]}: sync / async, ns over the plain function; instr"
    return [label, ours, "-", f"{OK_NS} / {OK_NS}; -", reached_cell([(value, OK_NS) for value in ns])]


def burst_cells(figures, names):
    label = f"a burst of {BURST:,} distinct errors: delivered / coalesced / dropped, counted / lost silently"
    texts = {peer: burst_text(of) for peer, of in figures.bursts.items()}
    ours = figures.bursts.get(OURS)
    reached = "not measured" if ours is None else "no" if ours["silent"] or ours["pending"] else "yes"
    peers = "; ".join(f"{texts[peer]} ({VERSIONS[peer]})" for peer in names if peer in texts and peer != OURS)
    return [label, texts.get(OURS, "-"), peers or "-", "none lost silently", reached]


def delivery_cells(figures, names, scenario):
    cpu, wall = (figures.median(OURS, scenario, figure) for figure in (CPU_US, WALL_US))
    peers = "; ".join(best_of(figures, names, scenario, figure) for figure in (CPU_US, WALL_US))
    return [
        f"delivery of {REPORTS[scenario][0]}: CPU us; wall us", f"{text_of(cpu)}; {text_of(wall)}",
        peers, f"{DELIVERY_CPU_US}; -", reached_cell([(cpu, DELIVERY_CPU_US)]),
    ]


def details(figures):
    """The median over the rounds, and the median of ours against each peer in the same round."""
    rows = []
    for (peer, scenario), samples in sorted(figures.samples.items(), key=lambda item: (item[0][1], item[0][0])):
        ours = figures.samples.get((OURS, scenario))
        cells = [scenario, peer]
        for figure in (CALLER_NS, CALLER_P99, CPU_US, WALL_US):
            of = samples.rounds[figure]
            cells.append(f"{figure_text(statistics.median(of))} ({figure_text(min(of))} to {figure_text(max(of))})")
            if figure in (CALLER_NS, CPU_US):
                pairs = zip(ours.rounds[figure], of) if ours and peer != OURS else []
                ratios = [mine / theirs for mine, theirs in pairs]
                cells.append(f"{statistics.median(ratios):.3f}" if ratios else "-")
        rows.append([*cells, text_of(figures.instructions.get((peer, scenario)))])
    header = ["scenario", "peer", "caller p50 ns", "ours to it", "p99 ns", "CPU us", "ours to it", "wall us", "caller instr"]
    return table(header, rows)


HEADER = ["figure", "ours", "best peer in this run", "reach", "reached"]


def main():
    parser = argparse.ArgumentParser(prog="benches/run rollbar", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer samples")
    parser.add_argument("--instr-only", action="store_true", help="instruction counts only: exact, on a busy machine too")
    parser.add_argument("--without", default="", metavar="PEER,..", help="peers to leave out")
    options = parser.parse_args()
    names = [name for name in [OURS, *PEERS] if name not in options.without.split(",")]
    rounds, reports = (2, 1_000) if options.quick else (7, 4_000)

    measure.build(names)
    command = ["cargo", "build", "--quiet", "--release", "--package", "harness", "--bin", "http-sink"]
    measure.output(command, seconds=3600, cwd=measure.HERE)
    figures = Figures()
    with Sink() as sink:
        count_instructions(figures, sink, names)
        if not options.instr_only:
            take_times(figures, sink, names, rounds, reports)
            figures.bursts = {peer: burst(sink, peer) for peer in names}
    rows = [caller_cells(figures, names, scenario) for scenario in REPORTS]
    rows += [ok_cells(figures, state) for state in STATES]
    rows.append(burst_cells(figures, names))
    rows += [delivery_cells(figures, names, scenario) for scenario in REPORTS]
    text = table(HEADER, rows)
    print(text, end="")
    path = measure.store("rollbar.md", text + "\n" + details(figures))
    say(f"each peer's figures, with their ranges and ratios: {path}")


if __name__ == "__main__":
    main()
