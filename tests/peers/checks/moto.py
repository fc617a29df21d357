"""The drop-in between the aws-xray-sdk for Python, Cruddur, boto3 and moto: what is sent arrives byte for byte, and counted."""
import json
import re
import socket
import time

from harness import Check, Tap, ask, cargo, metrics, run_through, until, x_ray

REGION = "eu-west-1"  # moto's own is us-east-1: what arrives in this one was signed for it
HEADER = b'{"format": "json", "version": 1}\n'
# Route, and whether its trace has a fault.
ROUTES = [
    ("/api/activities/home", False),
    ("/api/activities/notifications", False),
    ("/status/404", False),
    ("/status/503", True),
    ("/user", False),
    ("/boom-chain", True),
    ("/caught", False),
    ("/downstream", False),
    ("/sqlite", False),
    ("/big/150", False),
    # A document with the bare `Infinity`, which is no JSON: it is moto's to judge.
    ("/infinity", False),
]
SEGMENTS = len(ROUTES) + 2  # with those of the Rust app and its second service, which `/downstream` leads to


def segment(name, number):
    """A segment of its own trace, as text; the trace's id."""
    now = time.time()
    trace = f"1-{int(now):08x}-{number:024x}"
    entity = {"name": name, "id": f"{number:016x}", "start_time": now, "end_time": now + 0.25}
    return json.dumps({"trace_id": trace, **entity}), trace


with Check() as check:
    began = int(time.time()) - 2
    program = cargo("xray-daemon")
    moto, upstream = check.moto()
    daemon, udp, tcp = check.relay(program, upstream, region=REGION)
    tcp_port = int(tcp.rpartition(":")[2])
    tap = Tap(udp)
    address = f"tcp:{tcp} udp:{tap.address}"
    rust, rust_port = check.cruddur(tap.address, tcp, ROLLBAR_ENABLED="false")
    recommendations = f"http://127.0.0.1:{rust_port}/api/recommendations"
    app, port = check.flask(address, SERVICE="flask", DOWNSTREAM=recommendations)

    traces = {}
    for path, fault in ROUTES:
        _, answer, _ = ask(port, path)
        traces[re.search(r"Root=([^;]+)", answer["X-Amzn-Trace-Id"])[1]] = fault

    def counted(*names):
        return metrics(tcp_port, *names)

    def all_sent():
        received, sent = counted("datagrams_received_total", "segments_sent_total")
        return received == sent == len(tap.datagrams) and len(segments()) == SEGMENTS

    def segments():
        return [document for document in tap.documents() if "type" not in document]

    until("all that came is sent", all_sent)
    check.equal("the traces of what was sent", {segment["trace_id"] for segment in segments()}, traces.keys())
    streamed = len(tap.datagrams) - SEGMENTS
    check.holds("subsegments that are sent ahead", streamed, "more than 100", streamed > 100)

    ids = list(traces)
    summaries, stored = x_ray(
        upstream,
        ("get_trace_summaries", {"StartTime": began, "EndTime": int(time.time()) + 2}),
        ("batch_get_traces", {"TraceIds": ids}),
        region=REGION,
    )
    faults = {summary["Id"]: summary["HasFault"] for summary in summaries["TraceSummaries"]}
    check.equal("moto's summaries: trace and fault", faults, traces)
    check.equal("moto knows each trace", stored["UnprocessedTraceIds"], [])
    arrived = sorted(segment["Document"] for trace in stored["Traces"] for segment in trace["Segments"])
    sent = sorted(datagram.partition(b"\n")[2].decode() for datagram in tap.datagrams)
    check.equal("moto has each document as it was sent", arrived, sent)

    # Through the proxy: signed anew, with the daemon's keys and for its region.
    document, trace = segment("boto3", 1)
    incomplete = json.dumps({"name": "boto3", "id": f"{2:016x}"})
    calls = [("batch_get_traces", {"TraceIds": [trace]}), ("get_sampling_rules", {})]
    put, *proxied = x_ray(
        f"http://{tcp}", ("put_trace_segments", {"TraceSegmentDocuments": [document, incomplete]}), *calls
    )
    unprocessed = [segment["Id"] for segment in put["UnprocessedTraceSegments"]]
    check.equal("what moto refuses of boto3's documents", unprocessed, [f"{2:016x}"])
    direct = x_ray(upstream, *calls, region=REGION)
    check.equal("moto's answers, also its errors, through the proxy and without it", proxied, direct)
    arrived = [segment["Document"] for trace in direct[0]["Traces"] for segment in trace["Segments"]]
    check.equal("what boto3 sent through the proxy", arrived, [document])

    # To here nothing was refused or lost.
    losses = ["datagrams_rejected_total", "datagrams_dropped_by_kernel_total", "segments_unprocessed_total"]
    losses += ["segments_dropped_total", "segments_retried_total", "calls_failed_total", "log_lines_lost_total"]
    check.equal(f"each of {losses}", counted(*losses), [0] * len(losses))
    # Of its receive buffer it warns where the system keeps it small.
    warnings = [line for line in daemon.out if "[Info]" not in line and "receive buffer" not in line]
    check.equal("warnings and errors", warnings, [])

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect(("127.0.0.1", int(udp.rpartition(":")[2])))
        sender.send(b"no header")
        sender.send(HEADER + b"no JSON")
        refused = "datagrams_rejected_total", "segments_unprocessed_total", "segments_pending"
        until("the two are counted", lambda: counted(*refused) == [1, 1, 0])
        daemon.line(r"\[Warn\] .*no header", daemon.out)
        code, told, _ = run_through(program, "status", "-t", tcp)
        check.equal("`status` ends well", code, 0)
        number = f"{len(tap.datagrams):,}"
        check.holds("`status` tells what was sent", told, f"{number} or {len(tap.datagrams)}",
                    number in told or str(len(tap.datagrams)) in told)

        # What is on its way when it is told to end.
        document, trace = segment("last", 3)
        before = len(tap.datagrams) + 2
        sender.send(HEADER + document.encode())
        until("the last one is received", lambda: counted("datagrams_received_total") == [before + 1])
    check.equal("the daemon ends well", daemon.stop(), 0)
    [last] = x_ray(upstream, ("batch_get_traces", {"TraceIds": [trace]}), region=REGION)
    arrived = [segment["Document"] for trace in last["Traces"] for segment in trace["Segments"]]
    check.equal("what was received just before the end", arrived, [document])
    moto.line(r'"POST /TelemetryRecords HTTP/1.1" 200', moto.err)
    check.equal("the apps end well", (app.stop(), rust.stop()), (0, 0))
