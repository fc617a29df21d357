"""The AWS SDK for Rust with XRayInterceptor beside boto3 with the aws-xray-sdk for Python, against moto: the same calls, the same documents."""
import json
import re

from harness import HERE, ROOT, Check, Tap, cargo, python, run_through, until

GOLDEN = ROOT / "tests" / "golden" / "aws"

# Cases whose calls both sides make, and the golden twin of those that have one.
CASES = {
    "dynamodb": "52_boto_dynamodb",
    "dynamodb-error": "53_boto_dynamodb_error",
    "dynamodb-parameters": None,
    "s3": "54_boto_s3",
    "s3-error": None,
    "sqs": None,
    "sqs-receive": None,
}

# Where the documents differ on purpose: cases, path, Python's value, ours (None: not there; ANY: whichever), and why.
ANY = object()
DIFFERENCES = [
    (".*", r"http\.response\.content_length", None, ANY, '§12: "response status and content_length"'),
    (".*-error", "fault", True, None, '§8: "400..=499 error"; Python sets both flags'),
    (".*-error", r"cause\.exceptions\.0\.message", ANY, ANY,
     "what the service says; Python has its own sentence around it"),
]

# Not compared: ids, moments, and what is compared by what it means.
LEFT_OUT = {"id", "parent_id", "trace_id", "type", "start_time", "end_time", "in_progress"}


def flat(value, path=""):
    """Paths and values of a JSON value's leaves."""
    if isinstance(value, (dict, list)) and value:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in items:
            yield from flat(inner, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def calls(segment, endpoint):
    """The calls of a segment as paths and values. Ids are there or not; the stack has frames or not."""
    found = []
    for call in segment.get("subsegments", []):
        call = {key: value for key, value in call.items() if key not in LEFT_OUT}
        for exception in call.get("cause", {}).get("exceptions", []):
            exception["id"], exception["stack"] = "<id>", bool(exception["stack"])
        call.get("cause", {}).pop("working_directory", None)
        for id in {"request_id", "message_id"} & call["aws"].keys():
            call["aws"][id] = bool(call["aws"][id])
        found.append({path: value.replace(endpoint, "<endpoint>") if isinstance(value, str) else value
                      for path, value in flat(call)})
    return found


def unexplained(case, theirs, ours, used):
    """Where two calls differ and no line of DIFFERENCES says so."""
    for path in sorted(theirs.keys() | ours.keys()):
        got = theirs.get(path), ours.get(path)
        if got[0] == got[1]:
            continue
        for row in DIFFERENCES:
            cases, pattern, golden, rust, _ = row
            if re.fullmatch(cases, case) and re.fullmatch(pattern, path) and (golden is ANY or golden == got[0]) \
                    and (rust is ANY or rust == got[1]):
                used.add(row)
                break
        else:
            yield path, *got


def segments(tap, wanted):
    """The segments that a program sent, by name, once they are there."""

    def all_there():
        found = {}
        for document in tap.documents():
            found.setdefault(document["name"], []).append(document)
        return found if wanted <= found.keys() else None

    return until(f"segments {sorted(wanted)}", all_there)


with Check() as check:
    peer = cargo("aws-sdk-peer", "clients")
    sides = {}
    for side, command in [("python", [python(), HERE / "python" / "aws_calls.py"]), ("rust", [peer])]:
        # Each has a service of its own, so that both find it empty.
        moto, endpoint = check.moto()
        tap = Tap()
        program = check.run(*command, endpoint, AWS_XRAY_DAEMON_ADDRESS=tap.address)
        program.process.wait(60)
        for reader in program.readers:
            reader.join()
        check.equal(f"{side}: the program ends well", (program.process.returncode, program.err), (0, []))
        sides[side] = moto, endpoint, segments(tap, set(CASES) | ({"consumer"} if side == "rust" else set()))
    _, their_endpoint, theirs = sides["python"]
    moto, our_endpoint, ours = sides["rust"]

    used = set()
    for case, twin in CASES.items():
        [our_segment], [their_segment] = ours[case], theirs[case]
        mine = calls(our_segment, our_endpoint)
        beside = {"boto3": calls(their_segment, their_endpoint)}
        if twin:
            [document] = json.loads((GOLDEN / f"{twin}.json").read_text())["documents"]
            beside[f"golden twin {twin}"] = calls(document, "http://127.0.0.1:5655")
        for peer_name, expected in beside.items():
            check.equal(f"{case}, {peer_name}: the calls", [call["name"] for call in mine],
                        [call["name"] for call in expected])
            for ours_call, theirs_call in zip(mine, expected):
                what = f"{case}, {peer_name}, {theirs_call['aws.operation']}: path, theirs, ours"
                check.equal(what, list(unexplained(case, theirs_call, ours_call, used)), [])
    for row in DIFFERENCES:
        check.holds(f"{row[0]} {row[1]}", row in used, "a difference that is there", row in used)

    # What the other side cannot be held against.
    [get] = ours["s3-error"][0]["subsegments"]
    check.equal("what S3 says of a key that is not there",
                [(each["type"], each["remote"]) for each in get["cause"]["exceptions"]], [("NoSuchKey", True)])
    [head] = ours["s3-virtual"][0]["subsegments"]
    check.equal("a bucket in the host, and its key", (head["aws"].get("bucket_name"), head["aws"].get("key")),
                ("cruddur", "k/1.txt"))
    [consumer], [producer] = ours["consumer"], ours["sqs"]
    check.equal("the consumer goes on with the message's trace", consumer["trace_id"], producer["trace_id"])
    check.equal("the consumer is linked to who sent it", consumer["parent_id"], producer["id"])
    check.equal("what it handled", consumer["annotations"], {"body": "one book"})
