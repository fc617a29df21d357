"""What an integration adds to a query, to a call, to a span of tracing, and a plugin to the start of a program."""
import argparse
import http.server
import json
import os
import socket
import statistics
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import measure
from measure import figure_text, reached_cell, say, table

OURS = "xray-integrations"
CALLER_NS, CALLER_CPU_NS, CPU_NS, ALLOCATIONS = "caller_ns", "caller_cpu_ns", "cpu_ns", "allocations"
CALLER_INSTRUCTIONS, INSTRUCTIONS = "caller-instructions", "instructions"
# What a query or a call of AWS may take its caller beside the plain client.
ADDED_NS = 2_000


@dataclass
class Call:
    """A row: a scenario whose two sides are compared, and what it may add on the caller."""

    scenario: str
    label: str
    reach_ns: float | None = None

    def same(self):
        """The scenario that tells the noise of this one."""
        return self.scenario.split("/")[0] + "/same"


# An integration more is a line here and a module of peers/xray-integrations.
CALLS = [
    Call("sqlx-memory/sampled", "query, SQLite in memory", ADDED_NS),
    Call("sqlx-memory/text", "query, SQLite in memory, with its text", ADDED_NS),
    Call("sqlx-memory/unsampled", "query, SQLite in memory, not sampled", ADDED_NS),
    Call("sqlx-memory/disabled", "query, SQLite in memory, disabled", ADDED_NS),
    Call("sqlx-rows/sampled", "query of ten rows, SQLite in memory", ADDED_NS),
    Call("sqlx-file/sampled", "query, SQLite in a file", ADDED_NS),
    Call("sqlx-file/text", "query, SQLite in a file, with its text", ADDED_NS),
    Call("aws-sqs/sampled", "call of SQS, one parameter", ADDED_NS),
    Call("aws-sqs/parameters", "call of SQS, four parameters", ADDED_NS),
    Call("aws-sqs/large", "call of SQS, four parameters, a message of 64 KiB", ADDED_NS),
    Call("aws-sqs/unsampled", "call of SQS, not sampled", ADDED_NS),
    Call("aws-sqs/disabled", "call of SQS, disabled", ADDED_NS),
    Call("grpc-client/sampled", "gRPC call, `XRayGrpcLayer`"),
    Call("grpc-client/unsampled", "gRPC call, `XRayGrpcLayer`, not sampled"),
    Call("grpc-server/sampled", "gRPC request, `XRayLayer`: a segment"),
    Call("grpc-server/unsampled", "gRPC request, `XRayLayer`, not sampled"),
    Call("message/sampled", "message, `in_message_segment`: a segment"),
    Call("message/unsampled", "message, `in_message_segment`, not sampled"),
]
SAME = ["sqlx-memory/same", "sqlx-file/same", "aws-sqs/same"]

LAYER, PEER, CAPTURE = "xray-tracing", "opentelemetry-aws", "xray-runtime"
# Ours to the peer's CPU time.
SPAN_RATIO = 0.5
SPANS = {
    "request/sampled/k3": "a request's span with 3 children, an event",
    "request/sampled/k20": "a request's span with 20 children, an event",
    "failed/sampled/k3": "3 children, the event an error",
    "failed/sampled/k20": "20 children, the event an error",
    "request/unsampled/k20": "20 children, not sampled",
}
SPANS_COUNTED = 4_000

PLUGINS = ["ec2", "ecs", "eks", "beanstalk", "cloudwatch-logs", "all"]
# Those that ask nobody over the network.
OF_FILES = ["beanstalk", "cloudwatch-logs"]
STARTS = {"install_ns": "install", "first_ns": "first segment", "second_ns": "second segment"}


def quartiles(values):
    values = sorted(values)
    return values[len(values) // 4], statistics.median(values), values[len(values) * 3 // 4]


def signed(value):
    return "-" if value is None else ("+" if value >= 0 else "-") + figure_text(abs(value))


def text_of(value):
    return "-" if value is None else figure_text(value)


class Pairs:
    """What the pairs of samples of a scenario gave: {figure: [(plain, traced)]}."""

    def __init__(self):
        self.of = {}

    def add(self, told):
        for figure in (CALLER_NS, CALLER_CPU_NS, CPU_NS):
            self.of.setdefault(figure, []).extend(zip(told["plain"][figure], told["traced"][figure]))
        pair = (told["plain"][ALLOCATIONS], told["traced"][ALLOCATIONS])
        self.of.setdefault(ALLOCATIONS, []).append(pair)

    def plain(self, figure):
        return statistics.median(plain for plain, _ in self.of[figure])

    def added(self, figure):
        """Quartiles of what the traced sample took more than the plain one beside it."""
        return quartiles([traced - plain for plain, traced in self.of[figure]])


class Figures:
    """Every number measured."""

    def __init__(self):
        self.pairs = {}
        self.instructions = {}
        self.spans = {}
        self.span_instructions = {}
        self.starts = {}
        self.start_instructions = {}

    def added(self, scenario, figure):
        return self.pairs[scenario].added(figure)[1] if scenario in self.pairs else None

    def plain(self, scenario, figure):
        return self.pairs[scenario].plain(figure) if scenario in self.pairs else None

    def added_instructions(self, mode, scenario):
        of = [self.instructions.get((mode, scenario, side)) for side in ("plain", "traced")]
        return None if None in of else of[1] - of[0]

    def ratios(self, scenario, figure, ours, theirs):
        """Quartiles of ours to theirs in the same round."""
        of = [self.spans.get((peer, scenario)) for peer in (ours, theirs)]
        if None in of:
            return None
        return quartiles([mine / its for mine, its in zip(*(samples.rounds[figure] for samples in of))])

    def start_added(self, start, figure):
        """What a start took more than one without plugins in the same round, and so on."""
        if start not in self.starts:
            return None
        pairs = zip(self.starts[start], self.starts["none"])
        return [with_it[figure] - without[figure] for with_it, without in pairs]

    def added_start_instructions(self, what, start):
        of = [self.start_instructions.get((what, name)) for name in (start, "none")]
        return None if None in of else of[0] - of[1]

    def start_noise(self, figure):
        """Of starts without plugins: what three of four differ less in from the start beside them."""
        differences = self.start_added("none again", figure)
        return differences and quartiles([abs(difference) for difference in differences])[2]


def count_call_instructions(figures, calls):
    """Two at a time: counts do not mind a busy machine. All threads only where documents are made."""
    recorded = [call.scenario for call in CALLS if call.scenario.split("/")[1] not in ("unsampled", "disabled")]
    work = [(CALLER_INSTRUCTIONS, call.scenario, side) for call in CALLS for side in ("plain", "traced")]
    work += [(INSTRUCTIONS, scenario, side) for scenario in recorded for side in ("plain", "traced")]
    say(f"counting the instructions of {len(work)} sides of calls")

    def count(item):
        mode, scenario, side = item
        made, threads = measure.callgrind([measure.binary(OURS), mode, scenario, side, str(calls)])
        return (threads[1] if mode == CALLER_INSTRUCTIONS else sum(threads.values())) / made

    with ThreadPoolExecutor(2) as pool:
        for number, (item, value) in enumerate(zip(work, pool.map(count, work)), 1):
            figures.instructions[item] = value
            if number % 20 == 0 or number == len(work):
                say(f"  {number} of {len(work)}")


def time_calls(figures, rounds, milliseconds):
    turns = SAME + [call.scenario for call in CALLS]
    for number in range(rounds):
        say(f"timing calls, round {number + 1} of {rounds}")
        turns.reverse()
        for scenario in turns:
            told = json.loads(measure.output([measure.binary(OURS), "pairs", scenario, str(milliseconds)]))
            if told["lost"]:
                say(f"{scenario}: {told['lost']:,} documents were lost")
            figures.pairs.setdefault(scenario, Pairs()).add(told)


def span_scenarios():
    """(peer, scenario) of those that make something of the spans."""
    return [
        (peer, scenario)
        for peer in (LAYER, PEER, CAPTURE)
        for scenario in measure.scenarios(peer)
        if scenario in SPANS
    ]


def count_span_instructions(figures):
    work = [(of, *pair) for of in (True, False) for pair in span_scenarios()]
    say(f"counting the instructions of {len(work)} scenarios of spans")

    def count(item):
        caller_only, peer, scenario = item
        return measure.instructions(peer, scenario, SPANS_COUNTED, caller_only)

    with ThreadPoolExecutor(2) as pool:
        figures.span_instructions.update(zip(work, pool.map(count, work)))


def check_delivery():
    """The spans of all peers have to arrive: else what is measured is how they are lost."""
    for peer, scenario in span_scenarios():
        if "/sampled/" in scenario:
            burst = measure.deliver(peer, scenario, 2_000)
            if burst["received"] < burst["made"] or burst["lost"]:
                say(f"{peer} {scenario}: of {burst['made']:,} spans {burst['received']:,} arrived")


class Endpoints:
    """Metadata endpoints: one that answers as the platforms do, one that takes connections and says nothing. A daemon that
    is deaf, and a folder with what plugins read."""

    ANSWERS = {
        "/latest/api/token": "dG9rZW4=",
        "/latest/dynamic/instance-identity/document": json.dumps({
            "availabilityZone": "eu-west-1b", "imageId": "ami-0abc", "instanceId": "i-0123456789abcdef0",
            "instanceType": "m5.large", "region": "eu-west-1",
        }),
        "/api/v1/namespaces/amazon-cloudwatch/configmaps/cluster-info": json.dumps({"data": {"cluster.name": "bench"}}),
        # Of ECS: its endpoint has no path of its own.
        "/": json.dumps({
            "DockerId": "ea32192c8553fbff06c9340478a2ff089b2bb5646fb718b4ee206641c9086d66",
            "ContainerARN": "arn:aws:ecs:us-west-2:111122223333:container/0206b271-b33f-47ab-86c6-a0ba208a70a9",
            "LogOptions": {"awslogs-group": "/ecs/bench", "awslogs-region": "us-west-2"},
        }),
    }

    def __enter__(self):
        answers = self.ANSWERS
        self.asked = set()
        asked = self.asked

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked.add(self.path)
                body = answers.get(self.path, "").encode()
                self.send_response(200 if body else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_PUT = do_GET

            def log_message(self, *_):
                pass

            def handle(self):
                # A process may end before it has its answer.
                try:
                    super().handle()
                except ConnectionError:
                    pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.hanging = socket.create_server(("127.0.0.1", 0), backlog=4_096)
        self.daemon = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.daemon.bind(("127.0.0.1", 0))
        self.folder = tempfile.TemporaryDirectory()
        self.write("token", "eyJhbGciOiJSUzI1NiJ9.e30.c2ln")
        with open(os.path.join(measure.HERE, "peers", OURS, "ca.crt")) as file:
            self.write("ca.crt", file.read())
        environment = {"environment_name": "bench", "version_label": "v1", "deployment_id": 7}
        self.write("environment.conf", json.dumps(environment))
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.hanging.close()
        self.daemon.close()
        self.folder.cleanup()

    def write(self, name, text):
        with open(os.path.join(self.folder.name, name), "w") as file:
            file.write(text)

    def arguments(self, plugin, endpoint):
        port = (self.hanging.getsockname() if endpoint == "hangs" else self.server.server_address)[1]
        daemon = f"127.0.0.1:{self.daemon.getsockname()[1]}"
        return [plugin, f"http://127.0.0.1:{port}", self.folder.name, daemon]


def starts():
    """{name: (plugin, endpoint)}; the start without plugins comes twice."""
    of = {"none": ("none", "answers"), "none again": ("none", "answers")}
    for plugin in PLUGINS:
        for endpoint in ["answers"] if plugin in OF_FILES else ["answers", "hangs"]:
            of[plugin if plugin in OF_FILES else f"{plugin}, the endpoint {endpoint}"] = (plugin, endpoint)
    return of


def measure_starts(figures, rounds):
    of = starts()
    with Endpoints() as endpoints:
        program = measure.binary("xray-start")
        work = [(what, start) for what in ("install", "first") for start in of]
        say(f"counting the instructions of {len(work)} starts")

        def count(item):
            what, start = item
            return measure.callgrind([program, f"{what}-instructions", *endpoints.arguments(*of[start])])[1][1]

        with ThreadPoolExecutor(2) as pool:
            figures.start_instructions.update(zip(work, pool.map(count, work)))
        if not rounds:
            return
        say(f"starting {len(of)} programs, {rounds} rounds")
        turns = list(of)
        for number in range(rounds):
            # Each takes every place once in so many rounds.
            turns = turns[1:] + turns[:1]
            told = {}
            for start in turns:
                told[start] = json.loads(measure.output([program, *endpoints.arguments(*of[start])]))
            for start in of:
                figures.starts.setdefault(start, []).append(told[start])
        unasked = set(endpoints.ANSWERS) - endpoints.asked
        if unasked:
            say(f"nobody asked for {', '.join(sorted(unasked))}")


def call_cells(figures, call):
    scenario = call.scenario
    added, instructions = figures.added(scenario, CALLER_NS), figures.added_instructions(CALLER_INSTRUCTIONS, scenario)
    plain = figures.plain(scenario, CALLER_NS), figures.instructions.get((CALLER_INSTRUCTIONS, scenario, "plain"))
    reach = "-" if call.reach_ns is None else f"{call.reach_ns:,}; -"
    return [
        f"{call.label}: added on the caller, ns; instr", f"{signed(added)}; {signed(instructions)}",
        f"{text_of(plain[0])}; {text_of(plain[1])} (plain)", reach, reached_cell([(added, call.reach_ns)]),
    ]


def span_cells(figures, scenario):
    cells = []
    for peer in (LAYER, PEER):
        samples = figures.spans.get((peer, scenario))
        cells.append("; ".join([
            text_of(samples and samples.median(CPU_NS)), text_of(samples and samples.median(CALLER_NS)),
            text_of(figures.span_instructions.get((False, peer, scenario))),
        ]))
    ratios = figures.ratios(scenario, CPU_NS, LAYER, PEER)
    ratio = ratios and ratios[1]
    bounded = SPAN_RATIO if "/sampled/" in scenario else None
    return [
        f"`tracing`, {SPANS[scenario]}: a span, CPU ns all in; ns on the caller; instr all in",
        cells[0] + (f" ({ratio:.2f} of its CPU)" if ratio else ""), f"{cells[1]} ({PEER})",
        f"{SPAN_RATIO} of its CPU" if bounded else "-", reached_cell([(ratio, bounded)]),
    ]


def start_cells(figures, start):
    """The install and the first segment, each in time and in instructions."""
    ours, beside = [], []
    for what in ("install", "first"):
        differences, none = figures.start_added(start, f"{what}_ns"), figures.starts.get("none")
        instructions = figures.added_start_instructions(what, start)
        ours.append(f"{signed(differences and statistics.median(differences))}; {signed(instructions)}")
        median = none and statistics.median(of[f"{what}_ns"] for of in none)
        beside.append(f"{text_of(median)}; {text_of(figures.start_instructions.get((what, 'none')))}")
    differences, noise = figures.start_added(start, "install_ns"), figures.start_noise("install_ns")
    added = differences and statistics.median(differences)
    return [
        f"plugin {start}: added to `install()`, ns; instr / to the first segment, ns; instr", " / ".join(ours),
        f"{' / '.join(beside)} (none)", f"{text_of(noise)} (noise); - / -; -",
        "not measured" if added is None else reached_cell([(added, noise)]),
    ]


def call_details(figures):
    def spread(of):
        low, middle, high = of
        return f"{signed(middle)} ({signed(low)} to {signed(high)})"

    rows = []
    for scenario in SAME + [call.scenario for call in CALLS]:
        pairs = figures.pairs.get(scenario)
        cells = [scenario, f"{len(pairs.of[CALLER_NS]):,}" if pairs else "-"]
        for figure in (CALLER_NS, CALLER_CPU_NS, CPU_NS):
            cells += [text_of(pairs and pairs.plain(figure)), spread(pairs.added(figure)) if pairs else "-"]
        cells.append(signed(figures.added(scenario, ALLOCATIONS)))
        for mode in (CALLER_INSTRUCTIONS, INSTRUCTIONS):
            plain = figures.instructions.get((mode, scenario, "plain"))
            cells += [text_of(plain), signed(figures.added_instructions(mode, scenario))]
        rows.append(cells)
    header = ["call", "pairs", "caller ns", "added", "caller's CPU ns", "added", "CPU ns all in", "added", "allocations added"]
    return table([*header, "caller instr", "added", "instr all in", "added"], rows)


def span_details(figures):
    rows = []
    for scenario in SPANS:
        for peer in (LAYER, CAPTURE, PEER):
            samples = figures.spans.get((peer, scenario))
            counted = [figures.span_instructions.get((only, peer, scenario)) for only in (True, False)]
            if samples is None and None in counted:
                continue
            cells = [scenario, peer]
            for figure in (CALLER_NS, CPU_NS):
                of = samples.rounds[figure] if samples else None
                cells.append(f"{figure_text(statistics.median(of))} ({figure_text(min(of))} to {figure_text(max(of))})" if of else "-")
                ratios = figures.ratios(scenario, figure, LAYER, peer) if peer != LAYER else None
                cells.append("{1:.2f} ({0:.2f} to {2:.2f})".format(*ratios) if ratios else "-")
            cells.append(text_of(samples and samples.median(ALLOCATIONS)))
            rows.append(cells + [text_of(value) for value in counted])
    header = ["spans", "peer", "caller ns", "the layer to it", "CPU ns all in", "the layer to it", "allocations"]
    return table([*header, "caller instr", "instr all in"], rows)


def start_details(figures):
    rows = []
    for start in starts():
        of = figures.starts.get(start)
        cells = [start, *(text_of(figures.start_instructions.get((what, start))) for what in ("install", "first"))]
        for figure in STARTS:
            cells.append(text_of(of and statistics.median(one[figure] for one in of)))
            differences = figures.start_added(start, figure) if start != "none" else None
            low, middle, high = quartiles(differences) if differences else (None,) * 3
            cells.append(f"{signed(middle)} ({signed(low)} to {signed(high)})" if differences else "-")
        rows.append(cells)
    header = ["plugin", "install instr", "first segment instr"]
    for name in STARTS.values():
        header += [f"{name} ns", "above none"]
    return table(header, rows)


HEADER = ["figure", "ours", "beside", "reach", "reached"]
PARTS = ["calls", "spans", "starts"]


def main():
    parser = argparse.ArgumentParser(prog="benches/run integrations", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer samples")
    parser.add_argument("--instr-only", action="store_true", help="instruction counts only: exact, on a busy machine too")
    parser.add_argument("--only", choices=PARTS, help="a part of the table")
    options = parser.parse_args()
    parts = [options.only] if options.only else PARTS
    rounds, milliseconds, calls, start_rounds = (2, 150, 100, 24) if options.quick else (7, 400, 300, 120)

    peers = [OURS] if {"calls", "starts"} & set(parts) else []
    measure.build(peers + ([LAYER, PEER, CAPTURE] if "spans" in parts else []))
    figures, rows, details = Figures(), [], []
    if "calls" in parts:
        count_call_instructions(figures, calls)
        if not options.instr_only:
            time_calls(figures, rounds, milliseconds)
        rows += [call_cells(figures, call) for call in CALLS]
        details.append(call_details(figures))
    if "spans" in parts:
        count_span_instructions(figures)
        if not options.instr_only:
            check_delivery()
            figures.spans = measure.time_side_by_side(span_scenarios(), rounds, milliseconds)
        rows += [span_cells(figures, scenario) for scenario in SPANS]
        details.append(span_details(figures))
    if "starts" in parts:
        measure_starts(figures, 0 if options.instr_only else start_rounds)
        rows += [start_cells(figures, start) for start in starts() if start != "none"]
        details.append(start_details(figures))
    text = table(HEADER, rows)
    print(text, end="")
    path = measure.store("integrations.md", "\n".join([text, *details]))
    say(f"each figure with its spread: {path}")


if __name__ == "__main__":
    main()
