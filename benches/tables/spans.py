"""What a span costs, side by side with the peers and with the least that is possible."""
import argparse
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import measure
from measure import OURS, figure_text, reached_cell, say, table
import compile as compile_cost

PEERS = ["fastrace", "tracing", "opentelemetry-aws", "xray-lite"]
# tracing's registry keeps spans and delivers none; fastrace hands them to a reporter that throws them away.
DELIVERING = ["fastrace", "opentelemetry-aws", "xray-lite"]
SENDING = ["opentelemetry-aws", "xray-lite"]
FLOOR, PLAIN = "limit", "plain"

INSTRUCTIONS = "instructions"
CALLER_INSTRUCTIONS = "caller_instructions"
CALLER_NS, CPU_NS, ALLOCATIONS = "caller_ns", "cpu_ns", "allocations"
POLL_NS, POLL_INSTRUCTIONS = "poll_ns", "poll_instructions"
SPANS_COUNTED = 8_000
BURST = 1_000_000


@dataclass
class Figure:
    """A number of a cell; `kind` says how it is measured, `reach` what ours shall not exceed."""

    kind: str
    scenario: str
    reach: float | None = None


@dataclass
class Row:
    """Figures in groups: `a / b; c / d`."""

    label: str
    groups: list
    peers: list = field(default_factory=lambda: PEERS)

    def figures(self):
        return [figure for group in self.groups for figure in group]


def off(label, mode):
    figures = [Figure(INSTRUCTIONS, f"sync/{mode}/k100", 25), Figure(INSTRUCTIONS, f"async/{mode}/k100", 75)]
    return Row(f"{label}: sync / async, instr", [figures])


def caller(label, shape, reaches):
    """`shape` is "" or "-note"; `reaches` are instr sync, async, ns sync, async."""
    both = [f"sync{shape}/sampled/k100", f"async{shape}/sampled/k100"]
    kinds = [CALLER_INSTRUCTIONS, CALLER_INSTRUCTIONS, CALLER_NS, CALLER_NS]
    figures = [Figure(*of) for of in zip(kinds, both * 2, reaches)]
    return Row(f"{label}: sync / async, instr; ns", [figures[:2], figures[2:]])


def all_in(label, scenario, reaches=(None, None)):
    figures = [Figure(INSTRUCTIONS, scenario, reaches[0]), Figure(CPU_NS, scenario, reaches[1])]
    return Row(f"{label}: instr / CPU ns", [figures], DELIVERING)


POLLED = "async-yield/sampled/k100"
ROWS = [
    off("no segment", "none"),
    off("not sampled", "unsampled"),
    off("disabled", "disabled"),
    caller("caller's side, sampled, 100 children", "", (160, 220, 25, 35)),
    Row(
        "each further poll of a captured future, the plain function's taken off: ns; instr",
        [[Figure(POLL_NS, POLLED, 30)], [Figure(POLL_INSTRUCTIONS, POLLED)]],
    ),
    all_in("all in, 100 children, sync", "sync/sampled/k100", (485, 100)),
    all_in("all in, 10 children, sync", "sync/sampled/k10", (600, 400)),
    all_in("all in, 100 children, async", "async/sampled/k100", (600, 130)),
    Row(
        "allocations a span, 100 children: sync / async",
        [[Figure(ALLOCATIONS, f"{shape}/sampled/k100", 0.05) for shape in ("sync", "async")]],
        DELIVERING,
    ),
]
ANNOTATED_ROWS = [
    caller("annotated: caller's side, 100 children", "-note", (None,) * 4),
    all_in("annotated: all in, 100 children, sync", "sync-note/sampled/k100"),
    all_in("annotated: all in, 100 children, async", "async-note/sampled/k100"),
]
BURSTS = ["sync/sampled/k100", "sync/sampled/k10"]


class Figures:
    """Every number measured, by (kind, peer, scenario)."""

    def __init__(self):
        self.values = {}
        self.samples = {}

    def get(self, kind, peer, scenario):
        """None where the peer has no such scenario, or it was not measured."""
        if kind in (POLL_NS, POLL_INSTRUCTIONS):
            return self.poll(CALLER_NS if kind == POLL_NS else CALLER_INSTRUCTIONS, peer)
        return self.values.get((kind, peer, scenario))

    def poll(self, kind, peer):
        """A poll more, a child: what yielding once adds, less what it adds to the plain function."""
        of = [
            self.values.get((kind, name, f"{shape}/{mode}/k100"))
            for name, mode in ((peer, "sampled"), (PLAIN, "none"))
            for shape in ("async-yield", "async")
        ]
        if None in of:
            return None
        twice, once, plain_twice, plain_once = of
        return ((twice - once) - (plain_twice - plain_once)) * 101 / 100

    def best(self, figure, peers):
        """(value, peer) of the cheapest peer."""
        of = [(self.get(figure.kind, peer, figure.scenario), peer) for peer in peers]
        return min((pair for pair in of if pair[0] is not None), default=None)


def wanted(rows, names):
    """{kind: {(peer, scenario)}} that the rows need of the peers `names`."""
    offered = {peer: set(measure.scenarios(peer)) for peer in names}
    needed = {INSTRUCTIONS: set(), CALLER_INSTRUCTIONS: set(), CPU_NS: set()}
    for row in rows:
        for figure in row.figures():
            columns = [peer for peer in [OURS, FLOOR, *row.peers] if figure.scenario in offered.get(peer, ())]
            kind = CALLER_INSTRUCTIONS if figure.kind == POLL_INSTRUCTIONS else figure.kind
            kind = kind if kind in needed else CPU_NS
            needed[kind] |= {(peer, figure.scenario) for peer in columns}
    if PLAIN in names:
        for kind in (CALLER_INSTRUCTIONS, CPU_NS):
            needed[kind] |= {(PLAIN, f"{shape}/none/k100") for shape in ("async", "async-yield")}
    return needed


def count_instructions(figures, needed):
    """Two at a time: counts do not mind a busy machine."""
    work = [(kind, *pair) for kind in (INSTRUCTIONS, CALLER_INSTRUCTIONS) for pair in sorted(needed[kind])]
    say(f"counting the instructions of {len(work)} scenarios")

    def count(item):
        kind, peer, scenario = item
        return measure.instructions(peer, scenario, SPANS_COUNTED, caller_only=kind == CALLER_INSTRUCTIONS)

    with ThreadPoolExecutor(2) as pool:
        for number, (item, value) in enumerate(zip(work, pool.map(count, work)), 1):
            figures.values[item] = value
            if number % 10 == 0 or number == len(work):
                say(f"  {number} of {len(work)}")


def take_times(figures, needed, rounds, milliseconds):
    figures.samples = measure.time_side_by_side(needed[CPU_NS], rounds, milliseconds)
    for (peer, scenario), samples in figures.samples.items():
        for kind in (CALLER_NS, CPU_NS, ALLOCATIONS):
            figures.values[kind, peer, scenario] = samples.least(kind)


def joined(groups, text):
    return "; ".join(" / ".join(text(figure) for figure in group) for group in groups)


def column(figures, row, peer):
    def text(figure):
        value = figures.get(figure.kind, peer, figure.scenario)
        return "-" if value is None else figure_text(value)

    return joined(row.groups, text)


def best_cell(figures, row, peers):
    """The cheapest of `peers` at each figure; one that is best at all of them is named once."""
    of = {id(figure): figures.best(figure, peers) for figure in row.figures()}
    names = {best[1] for best in of.values() if best}
    if not names:
        return "-"

    def text(figure):
        best = of[id(figure)]
        if best is None:
            return "-"
        return figure_text(best[0]) + (f" ({best[1]})" if len(names) > 1 else "")

    return joined(row.groups, text) + (f" ({names.pop()})" if len(names) == 1 else "")


def row_cells(figures, row):
    best = best_cell(figures, row, row.peers)
    if row.peers is DELIVERING:
        discarding = best.replace("(fastrace)", "(fastrace, throwing all away)")
        sending = best_cell(figures, row, SENDING)
        best = discarding if sending in ("-", best) else f"{discarding}; {sending}"
    bounded = any(figure.reach is not None for figure in row.figures())
    reach = joined(row.groups, lambda of: "-" if of.reach is None else f"{of.reach:g}") if bounded else "-"
    pairs = [(figures.get(of.kind, OURS, of.scenario), of.reach) for of in row.figures()]
    return [row.label, column(figures, row, OURS), best, column(figures, row, FLOOR), reach, reached_cell(pairs)]


def delivery_cells(names):
    """Ours and the peers' after a burst; complete also where the peer counted what it lost."""
    label = f"delivered after a burst of {BURST:,} spans and one flush: 100 / 10 children"
    texts, complete = {}, True
    for peer in [name for name in [OURS, *DELIVERING] if name in names]:
        offered = measure.scenarios(peer)
        parts = []
        for scenario in [scenario for scenario in BURSTS if scenario in offered]:
            say(f"a burst from {peer}, {scenario}")
            burst = measure.deliver(peer, scenario, BURST)
            made, received, lost = burst["made"], burst["received"], burst["lost"]
            part = f"{received / made * 100:.4g} %"
            if lost:
                part += f" + {lost / made * 100:.4g} % counted as lost"
            if peer == OURS and received + lost != made:
                part += f" ({made - received - lost:,} spans unaccounted for)"
                complete = False
            parts.append(part)
        texts[peer] = " / ".join(parts)
    ours = texts.pop(OURS, "-")
    reached = "not measured" if ours == "-" else "yes" if complete else "no"
    peers = "; ".join(f"{text} ({peer})" for peer, text in texts.items()) or "-"
    return [label, ours, peers, "-", "100 %, or counted", reached]


def compile_cells(names, rounds):
    compared = [name for name in ("fastrace", "tracing") if name in names]
    costs = compile_cost.measure([OURS] * (OURS in names) + compared, rounds)
    plain = measure.future_bytes(PLAIN)
    growth = {name: measure.future_bytes(name) - plain for name in costs if name != PLAIN}
    profiles = ("check", "debug", "release")

    def three(name):
        return " / ".join(figure_text(costs[name][profile]) for profile in profiles) if name in costs else "-"

    def two(name):
        return f"{costs[name]['bytes']:.0f}; {growth[name]}" if name in costs else "-"

    ours = costs.get(OURS)
    times, sizes = [], []
    if "fastrace" in costs:
        times = [(ours and ours[profile], costs["fastrace"][profile]) for profile in profiles]
    sizes = [(ours and ours["bytes"], 450), (growth.get(OURS), 64)]
    by_peer = lambda text: "; ".join(f"{text(name)} ({name})" for name in compared) or "-"
    return [
        [
            "added by the attribute per function: check / debug / release, ms",
            three(OURS), by_peer(three), "-", "fastrace's; 0.6 / 1.5 / 2 is where to go", reached_cell(times),
        ],
        [
            f"function's bytes once expanded (plain: {costs[PLAIN]['bytes']:.0f}); growth of a captured future, bytes",
            two(OURS), by_peer(two), "-", "450; 64", reached_cell(sizes),
        ],
    ]


HEADER = ["figure", "ours", "best peer in this run", "floor in this run", "reach", "reached"]


def details(figures):
    """Minimum, median over the rounds, and the median of ours against each peer in the same round."""
    rows = []
    for (peer, scenario), samples in sorted(figures.samples.items(), key=lambda item: (item[0][1], item[0][0])):
        cells = [scenario, peer]
        ours = figures.samples.get((OURS, scenario))
        for kind in (CALLER_NS, CPU_NS):
            cells += [figure_text(samples.least(kind)), figure_text(samples.median(kind))]
            ratio = measure.Samples()
            if ours and peer != OURS:
                for mine, theirs in zip(ours.rounds[kind], samples.rounds[kind]):
                    ratio.add({kind: mine / theirs})
                cells.append(f"{ratio.median(kind):.2f}")
            else:
                cells.append("-")
        cells.append(f"{samples.least(ALLOCATIONS):.3f}")
        for kind in (CALLER_INSTRUCTIONS, INSTRUCTIONS):
            value = figures.values.get((kind, peer, scenario))
            cells.append("-" if value is None else f"{value:,.1f}")
        rows.append(cells)
    header = ["scenario", "peer", "caller ns", "median", "ours to it", "CPU ns all in", "median", "ours to it"]
    return table([*header, "allocations", "caller instr", "instr all in"], rows)


def main():
    parser = argparse.ArgumentParser(prog="benches/run spans", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="ours and fastrace only, fewer samples")
    parser.add_argument("--instr-only", action="store_true", help="instruction counts only: exact, on a busy machine too")
    parser.add_argument("--no-compile", action="store_true", help="leave out the compiler's cost")
    parser.add_argument("--without", default="", metavar="PEER,..", help="peers to leave out")
    options = parser.parse_args()

    names = [OURS, FLOOR, PLAIN] + (["fastrace"] if options.quick else PEERS)
    names = [name for name in names if name not in options.without.split(",")]
    rounds, milliseconds, compile_rounds = (2, 150, 1) if options.quick else (7, 400, 3)

    measure.build(names)
    figures = Figures()
    needed = wanted(ROWS + ANNOTATED_ROWS, names)
    count_instructions(figures, needed)
    last_rows = []
    if not options.instr_only:
        take_times(figures, needed, rounds, milliseconds)
        last_rows.append(delivery_cells(names))
        if not options.no_compile:
            last_rows += compile_cells(names, compile_rounds)
    rows = [row_cells(figures, row) for row in ROWS] + last_rows
    rows += [row_cells(figures, row) for row in ANNOTATED_ROWS]
    text = table(HEADER, rows)
    print(text, end="")
    stored = {"/".join(key): value for key, value in figures.values.items()}
    measure.store("spans.json", json.dumps(stored, indent=1))
    path = measure.store("spans.md", text + "\n" + details(figures))
    say(f"each peer's figures, with medians and ratios: {path}")


if __name__ == "__main__":
    main()
