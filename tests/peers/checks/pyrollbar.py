"""The items of pyrollbar, its Flask integration and its command line, at the daemon's double of Rollbar's API."""
import hashlib
import json
import re
import socket
import sys

from harness import HERE, Check, ask, cargo, python, run_through
from rollbar_double import TOKEN, RollbarDouble

APP = HERE / "python" / "rollbar_app.py"
SOURCE = APP.read_text().splitlines()
TRACE = "1-5759e988-bd862e3fe1be46a994272793"
LEVELS = ("critical", "error", "warning", "info", "debug")
BODIES = "must have either a 'trace', 'trace_chain', 'message' or 'crash_report' property, (but not more than one)."

FAILSAFE = (
    "Failsafe from pyrollbar: payload too large. Original payload may be found in your server logs "
    "by searching for the UUID."
)

# What report_message is given beside its message, and what the API says to it in strict mode.
REFUSED = [
    ({"level": "warn"}, "data.level should be one of critical, error, warning, info, debug."),
    ({"payload_data": {"level": 3}}, "data.level should be string."),
    ({"payload_data": {"context": {"route": "/"}}}, "data.context should be string."),
    ({"payload_data": {"body": {"crash_report": {"raw": "x"}}}}, f"data.body {BODIES}"),
    ({"payload_data": {"body": {"telemetry": {}}}}, "data.body.telemetry should be array."),
    ({"payload_data": {"environment": None}}, "data.environment must not be undefined."),
    ({"payload_data": {"environment": "e" * 256}}, "data.environment should be at most 255 characters."),
    ({"payload_data": {"person": {"email": "ada@example.com"}}}, "data.person.id must not be undefined."),
    ({"payload_data": {"person": {"id": 79}}}, "data.person.id should be string."),
    ({"payload_data": {"custom": "text"}}, "data.custom should be object."),
    ({"payload_data": {"uuid": "u" * 37}}, "data.uuid should be at most 36 characters."),
    ({"payload_data": {"timestamp": "now"}}, "data.timestamp should be number."),
    ({"payload_data": {"code_version": "v" * 41}}, "data.code_version should be at most 40 characters."),
]

# The same for what is accepted: what is stored then.
FINGERPRINT = "f" * 50
ACCEPTED = [
    ({"payload_data": {"context": None, "title": None}}, {"context": None, "title": None}),
    ({"payload_data": {"person": {"id": "79", "username": None}}}, {"person": {"id": "79", "username": None}}),
    ({"payload_data": {"fingerprint": FINGERPRINT}}, {"fingerprint": FINGERPRINT}),
    ({"payload_data": {"timestamp": 1.5}}, {"timestamp": 1.5}),
    ({"payload_data": {"code_version": "v" * 40}}, {"code_version": "v" * 40}),
    ({"extra_data": {"żółć": "☃ \U0001f600"}}, {"custom": {"żółć": "☃ \U0001f600"}}),
]

# A fault, what pyrollbar logs of it, and how many items are stored all the same.
RATE_LIMIT = {"status": 429, "headers": {"X-Rate-Limit-Remaining": "0", "X-Rate-Limit-Remaining-Seconds": "30"}}
FAULTS = [
    (RATE_LIMIT, "over rate limit, data was dropped", 0),
    ({"status": 502}, "Rollbar api returned a 502", 0),
    ({"status": 503, "html": "<html>busy</html>"}, "Could not decode Rollbar api response", 0),
    ({"status": 500}, "internal server error", 0),
    ({"body": {"err": 1, "message": "a failure with 200"}}, "a failure with 200", 0),
    ({"token_state": "unknown"}, f"access token not found: {TOKEN}", 0),
    ({"token_state": "disabled"}, "access token is disabled", 0),
    ({"token_state": "wrong_scope"}, "insufficient privileges: post_server_item scope is required but", 0),
    ({"reset_mid_body": True}, "Connection reset by peer", 1),
    ({"status": 504, "accept": True}, "gateway timeout", 1),
    ({"slow_read_ms": 4000}, "Read timed out. (read timeout=3)", 0),
    ({"slow_close_ms": 50}, None, 1),
]


def at(code):
    """Where the app has this line, as `tail` says it."""
    return f"{APP}:{1 + SOURCE.index(code)}"


def stars(text):
    return bool(re.fullmatch(r"\*+", text or ""))


class Reporter:
    """The app, and what pyrollbar makes of what it is told to report."""

    def __init__(self, process, port):
        self.pid, self.port = process.process.pid, port

    def report(self, message, **arguments):
        """The uuid of a message, and all that pyrollbar logged, as one text."""
        body = json.dumps({"message": message, **arguments})
        said = json.loads(ask(self.port, "/report", "POST", body, Content_Type="application/json")[2])
        return said["uuid"], "\n".join(said["told"])

    def get(self, path, **headers):
        return json.loads(ask(self.port, path, **headers)[2])


def the_message(check, app, double):
    """`/rollbar/test`, as in the original: each field that pyrollbar sends, and nothing else, is stored."""
    check.equal("/rollbar/test is answered", ask(app.port, "/rollbar/test")[0], 200)
    line = double.line(message="Hello World!")
    data = double.data(line["uuid"])
    server = {"host": socket.gethostname(), "pid": app.pid, "argv": [str(APP)], "root": str(APP.parent)}
    expected = {
        "environment": "production", "level": "warning", "framework": "flask", "server": server, "uuid": line["uuid"],
        "body": {"message": {"body": "Hello World!"}}, "notifier": {"name": "pyrollbar", "version": "1.5.0"},
        "language": "python %d.%d.%d" % sys.version_info[:3], "timestamp": data["timestamp"],
    }
    check.equal("what is stored of it", data, expected)
    said = {"level": "warning", "title": "Hello World!", "item": 1, "change": "new", "environment": "production"}
    line = {key: value for key, value in line.items() if key not in ("time", "uuid", "message")}
    check.equal("its line, all of it", line, said)


def the_exceptions(check, app, double):
    """What Flask's signal reports: a chain, with person and session; the same again, with a form; one without a cause."""
    session = {"Baggage": "rollbar.session.id=s1, rollbar.execution.scope.id=e1"}
    status, *_ = ask(app.port, "/users/77?q=1&password=hunter2", X_User="1", **session)
    check.equal("a failing route is answered", status, 500)
    line = double.line(message="could not load user 77")
    raised = '        raise LoadUserError(f"could not load user {user_id}") from error'
    url = f"http://127.0.0.1:{app.port}/users/77"
    said = {
        "level": "error", "class": "LoadUserError", "at": at(raised), "method": "user", "person": "79",
        "title": "LoadUserError: could not load user 77", "context": "/users/<int:user_id>", "change": "new",
    }
    check.equal("the line of a chain", {key: line.get(key) for key in said}, said)
    told = line["request"]
    check.holds("its request", told, "no password", re.fullmatch(rf"GET {re.escape(url)}\?q=1&password=-+", told))

    data = double.data(line["uuid"])
    chain = [(trace["exception"], trace["frames"][-1]) for trace in data["body"]["trace_chain"]]
    chain = [(exception["class"], exception["message"], frame["code"]) for exception, frame in chain]
    below = 'raise StorageError(f"no row for {user_id}")'
    expected = [("LoadUserError", "could not load user 77", raised.strip()), ("StorageError", "no row for 77", below)]
    check.equal("the stored chain, what was caught first", chain, expected)
    check.equal("the person", data["person"], {"id": "79", "username": None, "email": None})
    attributes = [{"key": "session_id", "value": "s1"}, {"key": "execution_scope_id", "value": "e1"}]
    check.equal("the session", data["attributes"], attributes)
    request = data["request"]
    check.equal("the request", (request["method"], request["user_ip"]), ("GET", "127.0.0.1"))
    masked = request["GET"]["q"] == "1" and stars(request["GET"]["password"])
    check.holds("its parameters", request["GET"], "the password masked", masked)

    form = "user=bob&password=hunter2&confirm_password=hunter2"
    ask(app.port, "/users/78", "POST", form, Content_Type="application/x-www-form-urlencoded")
    again = double.line(message="could not load user 78")
    check.equal("the same again, with other data", (again["item"], again["change"]), (line["item"], "again"))
    posted = double.data(again["uuid"])["request"]["POST"]
    check.equal("a form's field", posted.pop("user"), "bob")
    masked = sorted(posted) == ["confirm_password", "password"] and all(map(stars, posted.values()))
    check.holds("a form's passwords", posted, "masked", masked)
    item = double.item(line["item"])
    told = (item["total_occurrences"], item["title"], item["level"], item["framework"])
    check.equal("the item of both", told, (2, "LoadUserError: could not load user 77", "error", "flask"))

    ask(app.port, "/boom")
    line = double.line(message="boom at top")
    raised = at('    raise RuntimeError("boom at top")')
    told = (line["class"], line["at"], line["method"])
    check.equal("the line without a cause", told, ("RuntimeError", raised, "boom"))
    check.equal("its body", list(double.data(line["uuid"])["body"]), ["trace"])

    uuid = app.get("/caught")["uuid"]
    line = double.line(uuid=uuid)
    told = (line["level"], line["class"], line["message"], line["at"])
    check.equal("the line of a caught one", told, ("info", "KeyError", "'k'", at('        {}["k"]')))
    told = (double.item(line["item"])["hash"], double.data(uuid)["custom"])
    check.equal("its own fingerprint and data", told, ("lookup", {"tries": 3}))


def the_log(check, app, double):
    """What goes through logging: a message with data, an exception with a message of its own."""
    app.get("/log")
    message, error = double.line(message="stock low: 3"), double.line(message="division failed for cart 7")
    check.equal("a warning", (message["level"], message["context"]), ("warning", "/log"))
    data = double.data(message["uuid"])
    custom = data["custom"]
    check.equal("its data", (custom["sku"], custom["record"]["name"]), ("X1", "shop"))
    check.holds("its password", custom["password"], "masked", stars(custom["password"]))
    check.equal("what is below its handler's level", double.lines(message="cart 7 opened"), [])
    told = (error["level"], error["class"], error["at"])
    check.equal("an exception, told by its description", told, ("error", "ZeroDivisionError", at("        1 / 0")))
    exception = double.data(error["uuid"])["body"]["trace"]["exception"]
    told = (exception["class"], exception["message"], exception["description"])
    check.equal("all of it", told, ("ZeroDivisionError", "division by zero", "division failed for cart 7"))


def the_rules(check, app, double, daemon):
    """What is refused and what is accepted, strictly."""
    payload = {"data": double.data(double.line(message="could not load user 77")["uuid"])}
    told = run_through(daemon, "rollbar", "validate", "-", text=json.dumps(payload))
    check.equal("`rollbar validate` of a chain", told, (0, "valid\n", ""))
    payload["data"]["level"] = "warn"
    code, out, _ = run_through(daemon, "rollbar", "validate", "-", text=json.dumps(payload))
    check.holds("the same at level warn", (code, out), f"1 and {REFUSED[0][1]}", code == 1 and REFUSED[0][1][:-1] in out)
    for level in LEVELS:
        uuid, told = app.report(f"at level {level}", level=level)
        check.equal(f"level {level}", (double.line(uuid=uuid)["level"], told), (level, ""))
    for arguments, message in REFUSED:
        before = double.counts()
        uuid, told = app.report("refused", **arguments)
        expected = f"ApiError: Invalid format. {message}"
        check.holds(f"what pyrollbar is told of {arguments}"[:120], told, expected, expected in told)
        after = double.counts()
        counted = (after["refused"] - before["refused"], after["occurrences"] - before["occurrences"])
        check.equal(f"{arguments} is refused"[:120], counted, (1, 0))
    for arguments, stored in ACCEPTED:
        uuid, told = app.report("accepted", **arguments)
        data = double.data(uuid) or {}
        check.equal(f"{arguments} is accepted"[:120], (told, {key: data.get(key) for key in stored}), ("", stored))
    hashes = [item["hash"] for item in double.call("items/")[1]["result"]["items"]]
    digest = hashlib.sha1(FINGERPRINT.encode()).hexdigest()
    check.holds("a long fingerprint's SHA-1", hashes, digest, digest in hashes)

    uuid, _ = app.report("in a trace", extra_data={"trace_id": TRACE, "elapsed": 15.23})
    line, data = double.line(uuid=uuid), double.data(uuid)
    check.equal("the trace of its line", line["trace_id"], TRACE)
    extra = {"trace_id": TRACE, "elapsed": 15.23}
    check.equal("its extra data", data["custom"], extra)
    check.equal("the same in its message", data["body"]["message"], {"body": "in a trace", **extra})


def the_size_and_the_uuid(check, app, double):
    """A body that is too large ends in pyrollbar's failsafe; a known uuid is accepted and discarded."""
    uuid, told = app.report("large", filler=700_000)
    check.holds("what pyrollbar is told", told[-200:], "too large", "ApiError: request entity too large" in told)
    data = double.data(double.line(message=FAILSAFE, change="new")["uuid"])
    check.equal("the failsafe", (data["custom"]["orig_uuid"], data["failsafe"], data["internal"]), (uuid, True, True))
    check.equal("the large one", double.data(uuid), None)

    # Its failsafe is refused too, and that one's: pyrollbar tries until one is accepted.
    double.inject({"too_large_at": 100, "times": 3})
    _, told = app.report("never small enough")
    check.equal("how often it is too large", told.count("ApiError: request entity too large"), 3)
    data = double.data(double.line(message=FAILSAFE, change="again")["uuid"])
    check.equal("the last failsafe's origin", data["custom"]["orig_uuid"], None)
    check.equal("failsafes in all", len(double.lines(message=FAILSAFE)), 2)

    known = "00000000-0000-4000-8000-00000000d0be"
    told = [app.report(f"a known uuid, {nth}", payload_data={"uuid": known})[1] for nth in ("first", "second")]
    check.equal("both are accepted", told, ["", ""])
    check.equal("the first is kept", [line["message"] for line in double.lines(uuid=known)], ["a known uuid, first"])
    check.equal("the second is counted", double.counts()["duplicates"], 1)


def the_faults(check, app, double):
    """Rollbar's bad days: what pyrollbar makes of each, and whether the item is there."""
    for number, (fault, logged, stored) in enumerate(FAULTS):
        what = json.dumps(fault)
        check.equal(f"{what} is injected", double.inject(fault), 200)
        # Letters: messages that differ in numbers only are one item.
        message = f"on a bad day, case {chr(ord('a') + number)}"
        _, told = app.report(message)
        if logged is None:
            check.equal(f"{what}: what pyrollbar logs", told, "")
        else:
            check.holds(f"{what}: what pyrollbar logs", told[:300], logged, logged in told)
        if stored:
            double.line(message=message)
        check.equal(f"{what}: items stored", len(double.lines(message=message)), stored)
    double.inject({"redirect_to": f"{double.url}item/"})
    uuid, told = app.report("redirected")
    check.equal("a redirect is followed", (told, double.line(uuid=uuid)["message"]), ("", "redirected"))
    uuid, told = app.report("a good day")
    check.equal("afterwards all is well", (told, double.line(uuid=uuid)["change"]), ("", "new"))


def the_reading(check, app, double):
    """Pages of items, as pyrollbar reads them. Its search is no call of Rollbar's API."""
    pages = app.get("/pages")
    count = pages["first"]["total_count"]
    check.equal("all items are on the first page", (pages["first"]["page"], len(pages["first"]["items"])), (1, count))
    check.equal("nothing is on the second", (pages["second"]["page"], pages["second"]["items"]), (2, []))
    check.equal("its search", pages["search"], "not found")


def the_command_lines(check, double, daemon):
    """Lines of `level text`, through pyrollbar's command line and through ours."""
    lines = "warning disk is full\ncritical no disk\ndebug żółć ☃\n"
    target = ("-t", TOKEN, "-e", "staging", "-u", double.url)
    expected = [("warning", "disk is full"), ("critical", "no disk"), ("debug", "żółć ☃")]
    theirs = python().parent / "rollbar"
    for change, command in [("new", [theirs, *target]), ("again", [daemon, "rollbar", "send", *target])]:
        name = "pyrollbar" if command[0] == theirs else "ours"
        code, out, err = run_through(*command, text=lines)
        check.equal(f"{name}: exit code and errors", (code, err), (0, ""))
        for level, message in expected:
            double.line(message=message, change=change, level=level, environment="staging")
        uuids = [double.line(message=message, change=change)["uuid"] for _, message in expected]
        if name == "ours":
            check.equal("ours prints each uuid", out.split(), uuids)
    code, *_ = run_through(theirs, *target, "error", "from", "arguments")
    line = double.line(message="from arguments")
    told = (line["level"], double.data(line["uuid"])["custom"])
    check.equal("pyrollbar: arguments", (code, told), (0, ("error", {"cli_version": "0.1"})))


def the_deploys(check, double, daemon):
    """Deploys as the documentation's curl sends them, and as JSON; one that takes its time; and one by our command line."""
    form = {"access_token": TOKEN, "environment": "production", "revision": "0a1b2c3", "local_username": "ana"}
    sent = [
        double.call("deploy/", "POST", form=form),
        double.call("deploy", "POST", {"environment": "staging", "revision": "0a1b2c3", "status": "started"}),
    ]
    check.equal("deploys are answered", sent, [(200, {"err": 0, "data": {"deploy_id": number}}) for number in (1, 2)])
    status, _ = double.call("deploy/2", "PATCH", {"status": "failed", "comment": "no disk"})
    check.equal("one is changed", status, 200)
    stored = double.call("deploys/")[1]["result"]["deploys"]
    told = [(deploy["id"], deploy["environment"], deploy["status"], deploy["local_username"]) for deploy in stored]
    check.equal("what is stored", told, [(2, "staging", "failed", None), (1, "production", "succeeded", "ana")])
    double.line(event="deploy", deploy=2, status="failed", comment="no disk")
    lines = [(line["deploy"], line["status"]) for line in double.lines(event="deploy")]
    check.equal("their lines", lines, [(1, "succeeded"), (2, "started"), (2, "failed")])
    command = ("rollbar", "deploy", "-t", TOKEN, "-u", double.url, "-e", "production", "-r", "4d5e6f7", "--user", "ana")
    check.equal("ours prints its id", run_through(daemon, *command), (0, "3\n", ""))
    told = double.line(event="deploy", deploy=3)
    check.equal("its line", (told["revision"], told["status"], told["user"]), ("4d5e6f7", "succeeded", "ana"))


with Check() as check:
    daemon = cargo("xray-daemon")
    tail, udp, tcp = check.tail(daemon, "--format", "json", "--rollbar", "strict", "--faults")
    double = RollbarDouble(tail, tcp)
    process, port = check.python_app("rollbar_app.py", ROLLBAR_ACCESS_TOKEN=TOKEN, ROLLBAR_ENDPOINT=double.url)
    app = Reporter(process, port)

    the_message(check, app, double)
    the_exceptions(check, app, double)
    the_log(check, app, double)
    the_rules(check, app, double, daemon)
    the_size_and_the_uuid(check, app, double)
    the_faults(check, app, double)
    the_reading(check, app, double)
    the_command_lines(check, double, daemon)
    the_deploys(check, double, daemon)

    counts = double.counts()
    check.equal("`tail` ends well", tail.stop(), 0)
    check.equal("each item has its line", len(double.lines()) - len(double.lines(event="deploy")), counts["occurrences"])
    refused = re.search(r"requests received; (\d+) of Rollbar's API refused$", tail.err[-1])
    check.equal("what was refused is told", refused and int(refused[1]), counts["refused"])
    for _, message in REFUSED:
        told = [line for line in tail.err if message in line]
        check.equal(f"it is told once: {message}", len(told), 1)
    everything = "\n".join(tail.out + tail.err)
    check.holds("the token", re.findall(f".*{TOKEN}.*", everything), "nowhere", TOKEN not in everything)
    check.holds("the unknown token", tail.err, "masked", any("not found: c0ff****" in line for line in tail.err))

    # Where the first one listened, as people start it: the app has not noticed.
    human, _, _ = check.tail(daemon, udp=udp, tcp=tcp)
    ask(port, "/users/79")
    here = re.escape(at('        raise LoadUserError(f"could not load user {user_id}") from error'))
    what = rf"error +LoadUserError could not load user 79  at {here}  #1 new"
    human.line(rf"^\d\d:\d\d:\d\d\.\dZ item {what}$", human.out)
    uuid, told = app.report("a number as id", level="warning", payload_data={"person": {"id": 79}})
    check.equal("leniently an item is accepted that may be refused", told, "")
    human.line(r"item warning +a number as id  #2 new$", human.out)
    human.line(r"accepted an item that Rollbar may refuse: data.person.id should be string\. \(inferred\)$", human.err)
    _, told = app.report("no level", level="warn")
    check.holds("what is documented is refused all the same", told, "422", "data.level should be one of" in told)
    status, _, _ = ask(double.port, "/debug/rollbar/faults")
    check.equal("without `--faults` there are none", status, 404)
    check.equal("`tail` and the app end well", (human.stop(), process.stop()), (0, 0))
    check.equal("no other line", len(human.out), 2)
