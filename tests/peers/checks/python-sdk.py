"""The aws-xray-sdk for Python: its documents through `xray-daemon tail`; its pollers under the daemon's sampling rules."""
import contextlib
import json
import re
import signal
import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path

from harness import HERE, Check, Missing, Tap, ask, cargo, json_line, metrics, until

APP = HERE / "python" / "cruddur.py"
KNOWN = "1-5759e988-bd862e3fe1be46a994272793"
FROM_UPSTREAM = {"X_Amzn_Trace_Id": f"Root={KNOWN};Parent=53995c3f42cd8ad8;Sampled=1"}
UNSAMPLED = {"X_Amzn_Trace_Id": f"Root={KNOWN.replace('5759', '5760')};Parent=53995c3f42cd8ad8;Sampled=0"}
raised = 1 + APP.read_text().splitlines().index("        raise ValueError('bad \"quoted\" value') from error")
VALUE_ERROR = {"type": "ValueError", "message": 'bad "quoted" value', "at": f"{APP.name}:{raised}"}
# No place: the SDK's stack of this one is where Flask tells it of the exception.
BOOM = {"type": "RuntimeError", "message": "boom at top"}
FAULT = {"status": 500, "health": "fault"}
REFUSED = {"status": 502, "health": "fault", "problem": {"type": "ConnectionError"}}

# Method, path, headers, and what the line says; `Cruddur`, healthy, one segment where nothing else is said.
CASES = [
    ("GET", "/api/activities/home", {}, {}),
    ("GET", "/api/activities/home?secret=1", {"Host": "api.cruddur.com"}, {"name": "api.cruddur.com"}),
    ("GET", "/api/activities/home", FROM_UPSTREAM, {"orphans": 1}),
    ("GET", "/api/activities/notifications", {}, {"spans": 3}),
    ("POST", "/status/404", {}, {"status": 404, "health": "error"}),
    ("GET", "/status/429", {}, {"status": 429, "health": "throttle"}),
    ("GET", "/status/503", {}, {"status": 503, "health": "fault"}),
    ("GET", "/user", {}, {"user": "żółć ☃"}),
    ("GET", "/boom", {}, {**FAULT, "problem": BOOM}),
    ("GET", "/boom-chain", {}, {**FAULT, "spans": 3, "problem": VALUE_ERROR}),
    ("GET", "/caught", {}, {"health": "fault", "spans": 2, "problem": VALUE_ERROR}),
    ("GET", "/downstream", {}, {"spans": 3, "services": ["Cruddur", "downstream"]}),
    ("GET", "/downstream-httpx", {}, {"spans": 3, "services": ["Cruddur", "downstream"]}),
    ("GET", "/downstream-refused", {}, {**REFUSED, "spans": 2, "services": ["Cruddur", "127.0.0.1"]}),
    ("GET", "/sqlite", {}, {"spans": 2, "services": ["Cruddur", ":memory:"]}),
    ("GET", "/big/150", {}, {"spans": 151}),
]

# The rules of the daemon, by priority: name, rate, reservoir, path. The last is the one that the original app is traced by.
RULES = [
    ("unseen", 0, 0, "/s*"),
    ("home", 1, 0, "/api/activities/home"),
    ("Cruddur", 0.1, 5, "*"),
]


def rules_file(rules):
    """Rules as `aws xray get-sampling-rules` prints them."""
    anything = {"ResourceARN": "*", "Host": "*", "HTTPMethod": "*", "ServiceType": "*", "Version": 1}
    records = []
    for index, (name, rate, reservoir, path) in enumerate(rules, 1):
        numbers = {"Priority": 1000 * index, "FixedRate": rate, "ReservoirSize": reservoir}
        rule = {"RuleName": name, "ServiceName": "Cruddur", "URLPath": path, **numbers, **anything}
        records.append({"SamplingRule": rule})
    return json.dumps({"SamplingRuleRecords": records})


def expected_line(method, path, said):
    name = said.get("name", "Cruddur")
    request = {"method": method, "path": path.partition("?")[0]}
    return {"name": name, **request, "status": 200, "health": "ok", "spans": 1, "services": [name], **said}


def told(line, expected):
    """What can be foretold of a line, to be compared with what is expected."""
    line = {key: value for key, value in line.items() if key not in ("time", "trace_id", "duration_ms")}
    line["services"] = [service["name"] for service in line["services"]]
    if "problem" in expected and "problem" in line:
        line["problem"] = {key: line["problem"].get(key) for key in expected["problem"]}
    return line


def drawing(check, daemon, ends_with):
    """The trace's rows once the empty line after them is there: (tree and name, outcome), and the lines of details."""
    daemon.line(ends_with, daemon.out)
    daemon.wait("an empty line", lambda: not daemon.out[-1])
    drawn = [line for line in daemon.out if line]
    daemon.out.clear()
    check.holds("a drawing begins with its trace", drawn[0], "Trace 1-...", drawn[0].startswith("Trace 1-"))
    rows = [re.match(r" ([ │├└]*\S+).*▕.*▏ ?(.*)$", line) for line in drawn]
    details = [line.strip(" │") for line, row in zip(drawn, rows) if not row]
    return [row.groups() for row in rows if row], details[1:]


with Check() as check:
    program = cargo("xray-daemon")
    lines, udp, tcp = check.tail(program, "--format", "json")
    far, far_port = check.flask(udp, SERVICE="downstream")
    home = f"http://127.0.0.1:{far_port}/api/activities/home"
    app, port = check.flask(udp, SERVICE="Cruddur", DOWNSTREAM=home)

    began = datetime.now(timezone.utc) - timedelta(milliseconds=1)
    # First: should it be sent in spite of its header, its line comes before those that are waited for.
    check.equal("an unsampled request is answered", ask(port, "/status/204", **UNSAMPLED)[0], 204)
    sent = []
    for method, path, headers, said in CASES:
        expected = expected_line(method, path, said)
        status, answer, _ = ask(port, path, method, **headers)
        check.equal(f"{method} {path} is answered", status, expected["status"])
        trace = re.search(r"Root=([^;]+)", answer["X-Amzn-Trace-Id"])[1]
        sent.append((f"the line of {method} {path} {headers or ''}".rstrip(), trace, expected))
    check.equal("the trace id comes from upstream", sent[2][1], KNOWN)

    # The SDK writes a bare `Infinity`, which is no JSON.
    check.equal("/infinity is answered", ask(port, "/infinity")[0], 200)
    rejected = lines.line("rejected a document: (.*)", lines.err)[1]
    check.holds("why it is rejected", rejected, "not JSON, and where", re.search("JSON.*line 1 column", rejected))

    with contextlib.suppress(Missing):  # told below, line by line
        for _, trace, _ in sent:
            json_line(lines, trace)
    check.equal("`tail` ends well", lines.stop(), 0)
    last = lines.err[-1]
    check.holds("what was lost", last, "1 invalid document", re.search(r"received; 1 with an invalid document$", last))
    listening = f"xray-daemon: listening on UDP {udp}; TCP {tcp}; Ctrl-C ends it"
    check.equal("what else `tail` tells", lines.err[:-2], [listening])
    ended = datetime.now(timezone.utc)
    by_trace = {line["trace_id"]: line for line in map(json.loads, lines.out)}
    check.equal("one line for each sampled request", len(lines.out), len(CASES))
    for what, trace, expected in sent:
        line = by_trace.get(trace)
        check.equal(what, line and told(line, expected), expected)
        if line:
            time = datetime.fromisoformat(line["time"])
            check.holds(f"{what}: its time", time, f"{began} to {ended}", began <= time <= ended)
            took = line["duration_ms"]
            most = (ended - began) / timedelta(milliseconds=1)
            check.holds(f"{what}: its length", took, f"more than 0, at most {most} ms", 0 < took <= most)

    # Where the first one listened: the app has not noticed.
    drawings, *_ = check.tail(program, "--waterfall", udp=udp)
    ask(port, "/api/activities/notifications")
    rows, details = drawing(check, drawings, "metadata")
    expected = [("Cruddur", "200"), ("└ notifications-activities", ""), ("  └ mock_data", "")]
    check.equal("the drawing of notifications", rows, expected)
    check.equal("one line of metadata", len(details), 1)
    metadata = re.fullmatch(r"metadata: namespace\.key = (\{.*\})", details[0])
    metadata = json.loads(metadata[1]) if metadata else {}
    check.equal("mock_data's metadata", {**metadata, "now": "a time"}, {"now": "a time", "results-size": 1})
    now = metadata.get("now", "nothing")
    check.holds("mock_data's time", now, f"after {ended}", now > ended.isoformat())

    check.equal("`tail --waterfall` ends well", drawings.stop(), 0)
    check.equal("the app ends well", (app.stop(), far.stop()), (0, 0))

    # The same app, whose SDK asks the daemon what to sample.
    file = Path(check.programs.enter_context(tempfile.TemporaryDirectory()), "rules.json")
    file.write_text(rules_file(RULES))
    moto, upstream = check.moto()
    daemon, udp, tcp = check.relay(program, upstream, "--sampling-rules", file)
    tap = Tap(udp)
    tcp_port = int(tcp.rpartition(":")[2])
    app, port = check.flask(f"tcp:{tcp} udp:{tap.address}", SERVICE="Cruddur", SAMPLING="central")

    def brought():
        """What the SDK's pollers have brought."""
        return json.loads(ask(port, "/sampling")[2])

    def recorded():
        """Path and rule of each document that a rule of the daemon decided on."""
        documents = [document for document in tap.documents() if "sampling_rule_name" in document["aws"]["xray"]]
        paths = [document["http"]["request"]["url"].split("/", 3)[3] for document in documents]
        return list(zip(paths, (document["aws"]["xray"]["sampling_rule_name"] for document in documents)))

    rates = {name: rule["rate"] for name, rule in until("rules at the SDK", brought).items()}
    expected = {**{name: rate for name, rate, *_ in RULES}, "Default": 0.05}
    check.equal("the rules that the SDK's poller brought", rates, expected)
    for path in ["/status/204"] * 20 + ["/api/activities/home"] * 3:
        ask(port, path)
    # Before its first target the SDK borrows one request a second.
    ask(port, "/user")
    target = until("a target at the SDK", lambda: (rule := brought()["Cruddur"])["quota"] is not None and rule)
    check.equal("the only client has the whole reservoir", target["quota"], 5)
    now = datetime.now().timestamp()
    check.holds("until when", target["until"], f"after {now}", target["until"] > now)
    # No more than the quota, in whichever second they fall.
    for _ in range(5):
        ask(port, "/user")
    expected = [("api/activities/home", "home")] * 3 + [("user", "Cruddur")] * 6
    until("all that is sampled", lambda: len(recorded()) >= len(expected))
    check.equal("paths, and rules by which they are sampled", recorded(), expected)

    # A rule that comes later: the daemon tells the SDK with the next targets.
    file.write_text(rules_file([("late", 1, 0, "/user"), *RULES]))
    daemon.process.send_signal(signal.SIGHUP)

    def late():
        ask(port, "/user")
        return "late" in brought()

    until("the new rule at the SDK", late)
    ask(port, "/user")
    until("a document by the new rule", lambda: recorded()[-1] == ("user", "late"))
    calls = [f'sampling_requests_total{{call="GetSampling{what}"}}' for what in ("Rules", "Targets")]
    # The SDK takes the rules again after its first report too, where it had fetched them in the second in which they were loaded:
    # then the late rule may come before the second report.
    counts = until("the second report", lambda: (counts := metrics(tcp_port, *calls))[1] >= 2 and counts)
    check.holds("calls of the pollers that the daemon counts", counts, "two or more for rules", counts[0] >= 2)
    until("all that came is sent", lambda: metrics(tcp_port, "segments_sent_total") == [len(tap.datagrams)])
    check.equal("the daemon ends well", daemon.stop(), 0)
    check.equal("the app ends well", app.stop(), 0)

    # With no account and no rules every request is to be recorded.
    lines, udp, tcp = check.tail(program, "--format", "json")
    app, port = check.flask(f"tcp:{tcp} udp:{udp}", SERVICE="Cruddur", SAMPLING="central")
    rules = {name: rule["rate"] for name, rule in until("rules at the SDK", brought).items()}
    check.equal("the rules of `tail`", rules, {"Default": 1})
    answers = [ask(port, "/user")[1] for _ in range(10)]
    for trace in (re.search(r"Root=([^;]+)", answer["X-Amzn-Trace-Id"])[1] for answer in answers):
        check.equal("the path of a recorded request", json_line(lines, trace)["path"], "/user")
    check.equal("`tail` and the app end well", (lines.stop(), app.stop()), (0, 0))
