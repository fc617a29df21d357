"""The original Cruddur back end, instrumented with the aws-xray-sdk for Python; the routes that the checks ask for.

Environment: AWS_XRAY_DAEMON_ADDRESS; AWS_XRAY_URL, the pattern of dynamic naming; SERVICE, the name of all other
segments; DOWNSTREAM, the URL that the downstream routes call; SAMPLING, `central` where the daemon has rules. Listens on
a free port and prints it.
"""
import os
import signal
import sqlite3
import sys
from datetime import datetime, timedelta, timezone

from aws_xray_sdk.core import patch_all, xray_recorder
from aws_xray_sdk.ext.flask.middleware import XRayMiddleware
from flask import Flask
from werkzeug.serving import make_server

app = Flask(__name__)
# Without sampling every request is recorded, and the SDK asks its daemon for nothing over TCP.
central = os.getenv("SAMPLING") == "central"
xray_recorder.configure(
    service=os.environ["SERVICE"], dynamic_naming=os.getenv("AWS_XRAY_URL", "*.cruddur.com"), sampling=central
)
if central:
    # Each second or two in the place of 10: the one setting of the SDK's poller.
    xray_recorder.sampler._target_poller._interval = 1
patch_all()
XRayMiddleware(app, xray_recorder)

# After patch_all, as in the original.
import httpx  # noqa: E402
import requests  # noqa: E402


def activity(**more):
    created = datetime.now(timezone.utc) - timedelta(days=2)
    return {"uuid": "68f126b0-1ceb-4a33-88be-d90fa7109eee", "created_at": created.isoformat(), "likes_count": 5, **more}


@app.route("/api/activities/home")
def home():
    return [activity(handle="Ada", message="Traces are fun")]


@app.route("/api/activities/notifications")
def notifications():
    return data_notifications()


@xray_recorder.capture("notifications-activities")
def data_notifications():
    results = [activity(handle="sam", message="Somebody liked your activity")]
    subsegment = xray_recorder.begin_subsegment("mock_data")
    now = datetime.now(timezone.utc).isoformat()
    subsegment.put_metadata("key", {"now": now, "results-size": len(results)}, "namespace")
    xray_recorder.end_subsegment()
    return results


@app.route("/status/<int:code>", methods=["GET", "POST"])
def status(code):
    return "", code


@app.route("/sampling")
def sampling():
    """What the SDK's pollers have brought."""
    rules = xray_recorder.sampler._cache.rules
    return {rule.name: {"rate": rule.rate, "quota": rule.reservoir.quota, "until": rule.reservoir.TTL} for rule in rules}


@app.route("/user")
def user():
    xray_recorder.current_segment().set_user("żółć ☃")
    return ""


@app.route("/infinity")
def infinity():
    xray_recorder.current_segment().put_metadata("ratio", float("inf"))
    return ""


@app.route("/boom")
def boom():
    raise RuntimeError("boom at top")


@app.route("/boom-chain")
def boom_chain():
    return outer()


@app.route("/caught")
def caught():
    try:
        return inner()
    except ValueError:
        return "recovered"


@xray_recorder.capture("outer")
def outer():
    return inner()


@xray_recorder.capture("inner-fails")
def inner():
    try:
        return {}["missing"]
    except KeyError as error:
        raise ValueError('bad "quoted" value') from error


@app.route("/downstream")
def downstream():
    return requests.get(os.environ["DOWNSTREAM"], timeout=20).json()


@app.route("/downstream-httpx")
def downstream_httpx():
    return httpx.get(os.environ["DOWNSTREAM"], timeout=20).json()


@app.route("/downstream-refused")
def downstream_refused():
    try:
        return requests.get("http://127.0.0.1:9/none", timeout=20).text
    except requests.ConnectionError:
        return "", 502


@app.route("/sqlite")
def sqlite():
    connection = sqlite3.connect(":memory:")
    return str(connection.execute("select 1 + 1").fetchone()[0])


@app.route("/big/<int:count>")
def big(count):
    """More subsegments than the 30 that the SDK sends with their segment: the others go ahead, one by one."""
    for index in range(count):
        with xray_recorder.in_subsegment(f"step-{index}"):
            pass
    return ""


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
