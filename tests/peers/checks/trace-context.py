"""One trace from the Python app into the Rust app: who is whose parent, and what is not sampled."""
import re

from harness import Check, Tap, ask, cargo, json_line

UNSAMPLED = {"X_Amzn_Trace_Id": "Root=1-5760e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=0"}
SERVICES = ["flask", "Cruddur", "recommendations"]
DATABASE = ":memory:"


def calls(entity):
    """The ids of the remote subsegments below it."""
    for child in entity.get("subsegments", []):
        if child.get("namespace") == "remote":
            yield child["id"]
        yield from calls(child)


def waits(entity):
    """How often a query below it waited for a connection: it depends on how fast the machine is."""
    waited = entity.get("metadata", {}).get("sql", {}).get("operation") == "acquire"
    return waited + sum(map(waits, entity.get("subsegments", [])))


with Check() as check:
    lines, udp, tcp = check.tail(cargo("xray-daemon"), "--format", "json")
    tap = Tap(udp)
    rust, rust_port = check.cruddur(tap.address, tcp)
    recommendations = f"http://127.0.0.1:{rust_port}/api/recommendations"
    python, port = check.flask(tap.address, SERVICE="flask", DOWNSTREAM=recommendations)

    # First: should either app send it in spite of its header, it is there with what follows.
    check.equal("an unsampled request is answered", ask(port, "/downstream", **UNSAMPLED)[0], 200)
    for path in ("/downstream", "/downstream-httpx"):
        status, answer, _ = ask(port, path)
        trace = re.search(r"Root=([^;]+)", answer["X-Amzn-Trace-Id"])[1]
        check.equal(f"{path} is answered", status, 200)
        line = json_line(lines, trace)
        services = [service["name"] for service in line["services"]]
        check.equal(f"{path}: the services of one line", services, [*SERVICES, DATABASE])
        waited = sum(waits(document) for document in tap.documents() if document["trace_id"] == trace)
        check.equal(f"{path}: segments, calls, queries and captured functions", line["spans"] - waited, 8)
        check.equal(f"{path}: health", (line["status"], line["health"]), (200, "ok"))
        check.equal(f"{path}: segments without their parent", line.get("orphans", 0), 0)

        documents = {document["name"]: document for document in tap.documents() if document["trace_id"] == trace}
        check.equal(f"{path}: documents", sorted(documents), sorted(SERVICES))
        first, *others = (documents.get(name, {}) for name in SERVICES)
        check.equal(f"{path}: the parent of the first", first.get("parent_id"), None)
        for caller, called in zip([first, *others], others):
            what = f"{path}: the parent of {called.get('name')} is the call of {caller.get('name')}"
            check.equal(what, [called.get("parent_id")], list(calls(caller)))

    check.equal("the apps end well", (python.stop(), rust.stop()), (0, 0))
    sent = rust.line(r"(\d+) recorded, (\d+) sent \(documents: (\d+)\), (\d+) dropped", rust.out).groups()
    recorded = str(12 + sum(map(waits, tap.documents())))
    check.equal("the Rust app sent what was sampled, nothing else", sent, (recorded, recorded, "4", "0"))
    check.equal("documents in all", len(tap.documents()), 6)
    check.equal("`tail` ends well", lines.stop(), 0)
    check.equal("a line for each sampled request", len(lines.out), 2)
    listening = f"xray-daemon: listening on UDP {udp}; TCP {tcp}; Ctrl-C ends it"
    check.equal("`tail` rejected and lost nothing", lines.err, [listening])
