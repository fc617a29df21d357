"""Cruddur's items beside pyrollbar's, at one daemon in strict mode: what differs, and each item's trace."""
from datetime import datetime, timezone
from uuid import UUID

from harness import ROOT, Check, Tap, ask, cargo, json_line
from rollbar_double import TOKEN, RollbarDouble

TROUBLE = "examples/cruddur/src/trouble.rs"
CLASS = "cruddur::error::ApiError"

# Where pyrollbar's item for /rollbar/test and ours differ, and why. What is under a path belongs to it.
ONLY_OURS = {
    "context": "the request's route; pyrollbar has it where it is handed the request",
    "request": "likewise",
    "custom.trace_id": "the X-Ray trace that it happened in, which pyrollbar knows nothing of",
    "custom.segment_id": "the same",
    "platform": "the system; pyrollbar leaves it out",
    "server.thread": "which thread reported",
}
ONLY_THEIRS = {"server.argv": "arguments may be secrets: ours are not sent"}
OTHER_VALUES = {
    "framework": "flask, axum",
    "language": "python 3, rust 1",
    "notifier.name": "each its own",
    "notifier.version": "each its own",
    "server.pid": "two processes",
    "server.root": "two folders",
    "timestamp": "two moments; ours with milliseconds",
    "uuid": "two occurrences",
}

# The routes that fail: status, and what the item's line says. The trace of each is that of its request.
BROKEN = {
    "level": "error", "class": CLASS, "message": "the database refused a query", "context": "GET /api/broken",
    "method": "cruddur::trouble::bookmarked_activities",
}
BUSY = {
    "level": "warning", "class": CLASS, "message": "too many requests, come back in 1 s", "context": "GET /api/busy",
    "method": "cruddur::trouble::take_turn",
}
FAILING = [
    ("/api/broken", 500, BROKEN, "async fn bookmarked_activities("),
    ("/api/busy", 429, BUSY, "fn take_turn("),
]
# What pyrollbar gives an item up for; ours is sent again, under the same uuid. The first is the next report's, the others
# all meet the one after it.
RATE_LIMIT = {"status": 429, "headers": {"X-Rate-Limit-Remaining": "0", "X-Rate-Limit-Remaining-Seconds": "1"}}
INJECTED = "xray-daemon: answered 429 to a call of Rollbar's API: over rate limit: too many requests for this access token"
FAULTS = [{"status": 503, "html": "<html>busy</html>"}, {"status": 504, "accept": True}, {"reset_mid_body": True}]

# Those that work, and the mistake of a caller, which is none of the program's.
SILENT = [("/api/activities/home", 200), ("/api/activities/@nobody", 404)]


def at(start):
    """Where Cruddur has the line that starts so, as `tail` says it."""
    lines = (ROOT / TROUBLE).read_text().splitlines()
    return next(f"{TROUBLE}:{number}" for number, line in enumerate(lines, 1) if line.startswith(start))


def leaves(value, path=""):
    """The paths of all that is no object, with their values."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}" if path else key)
    else:
        yield path, value


def listed(path, table):
    return next((name for name in table if path == name or path.startswith(f"{name}.")), None)


def compare(check, theirs, ours):
    """Every field of one is in the other with the same value, or in a table; and no table says too much."""
    theirs, ours = dict(leaves(theirs)), dict(leaves(ours))
    other = {path for path in ours.keys() & theirs.keys() if ours[path] != theirs[path]}
    for what, table, differ in [
        ("only in ours", ONLY_OURS, ours.keys() - theirs.keys()),
        ("only in theirs", ONLY_THEIRS, theirs.keys() - ours.keys()),
        ("with another value", OTHER_VALUES, other),
    ]:
        check.equal(f"fields {what}", {listed(path, table) or path for path in differ}, set(table))
    for path in ("environment", "level", "body.message.body", "server.host"):
        check.equal(f"the same {path}", ours.get(path, "nothing"), theirs[path])
    for name, item in [("theirs", theirs), ("ours", ours)]:
        check.equal(f"{name}: a random uuid", str(UUID(item["uuid"])), item["uuid"])
        age = datetime.now(timezone.utc).timestamp() - item["timestamp"]
        check.holds(f"{name}: its time", age, "less than a minute ago", -1 < age < 60)


def entities(documents):
    """All segments and subsegments, by id."""
    for document in documents:
        yield document["id"], document
        yield from entities(document.get("subsegments", []))


with Check() as check:
    tail, udp, tcp = check.tail(cargo("xray-daemon"), "--format", "json", "--rollbar", "strict", "--faults")
    double, tap = RollbarDouble(tail, tcp), Tap(udp)
    settings = {"ROLLBAR_ACCESS_TOKEN": TOKEN, "ROLLBAR_ENDPOINT": double.url}
    python, python_port = check.python_app("rollbar_app.py", **settings)
    rust, port = check.cruddur(tap.address, tcp, ROLLBAR_ENVIRONMENT="production")

    for path, status in SILENT:
        check.equal(f"{path} is answered", ask(port, path)[0], status)
    for name, each in [("python", python_port), ("rust", port)]:
        check.equal(f"{name}: /rollbar/test is answered", ask(each, "/rollbar/test")[::2], (200, b"Hello World!"))
        double.line(message="Hello World!", change={"python": "new", "rust": "again"}[name])
    theirs, ours = double.lines(message="Hello World!")
    check.equal("both are one item", (theirs["item"], ours["item"]), (1, 1))
    compare(check, double.data(theirs["uuid"]), double.data(ours["uuid"]))

    shown = [("/rollbar/test", 200, ours)]
    for path, status, said, line in FAILING:
        check.equal(f"{path} is answered", ask(port, path)[0], status)
        item = double.line(context=said["context"])
        check.equal(f"{path}: its line", {key: item.get(key) for key in said}, said)
        check.equal(f"{path}: the user's line", item["at"], at(line))
        check.equal(f"{path}: its request", item["request"], f"GET http://127.0.0.1:{port}{path}")
        shown.append((path, status, item))
    links = double.data(shown[1][2]["uuid"])["body"]["trace_chain"]
    told = [link["exception"]["class"] for link in links], links[-1]["exception"]["message"]
    check.equal("the causes", told, ([CLASS, "Database", "SqliteError"], "(code: 1) no such table: bookmarks"))

    for path, status, item in shown:
        trace = json_line(tail, item["trace_id"])
        check.equal(f"{path}: the trace of its item", (trace["path"], trace["status"]), (path, status))
        entity = dict(entities(tap.documents())).get(item["segment_id"], {})
        told = entity.get("annotations", {}).get("rollbar_uuid")
        check.equal(f"{path}: the item that its segment names", told, item["uuid"])

    for reports, faults in enumerate([[RATE_LIMIT], FAULTS], 3):
        double.inject(*faults)
        ask(port, "/rollbar/test")
        tail.wait(f"an item in spite of {faults}", lambda: len(double.lines(message="Hello World!")) == reports)
    check.equal("a route fails again", ask(port, "/api/broken")[0], 500)
    # It waits behind the report that is being sent again.
    tail.wait("the second of /api/broken", lambda: len(double.lines(context="GET /api/broken")) == 2)
    check.equal("the apps end well", (python.stop(), rust.stop()), (0, 0))
    check.equal("what was reported", rust.line(r"Reports: (.*)", rust.out)[1], "6 made, 6 sent, 0 dropped")
    told = double.counts()
    check.equal("faults that were met", told["faults"], 1 + len(FAULTS))
    check.equal("what came again after its answer was lost", told["duplicates"], 2)
    broken = double.item(shown[1][2]["item"])
    told = (broken["total_occurrences"], broken["level"], broken["framework"])
    check.equal("it is the same item", told, (2, "error", "axum"))
    check.equal("items in all", sum("item" in line for line in double.lines()), 7)
    check.equal("`tail` ends well", tail.stop(), 0)
    listening = f"xray-daemon: listening on UDP {udp}; TCP {tcp}; Ctrl-C ends it"
    check.equal("nothing is lost, or refused but by the faults", tail.err, [listening, INJECTED])
