"""A daemon as Rollbar's API: what `tail --format json` prints of each item, what is stored of it, its faults."""
import json
from urllib.parse import urlencode

from harness import ask

TOKEN = "c0ffee00c0ffee00c0ffee00c0ffee00"


class RollbarDouble:
    """Asks the double that a `tail` serves, and reads that tail's lines."""

    def __init__(self, tail, tcp):
        self.tail = tail
        self.url = f"http://{tcp}/api/1/"
        self.port = int(tcp.rpartition(":")[2])

    def call(self, path, method="GET", body=None, form=None):
        """Status and JSON of a call of the API, by someone who has the token."""
        kind = "application/json" if form is None else "application/x-www-form-urlencoded"
        body = json.dumps(body) if form is None else urlencode(form)
        headers = {"Content_Type": kind, "X_Rollbar_Access_Token": TOKEN}
        status, _, answer = ask(self.port, f"/api/1/{path}", method, None if method == "GET" else body, **headers)
        return status, json.loads(answer)

    def inject(self, *faults):
        return ask(self.port, "/debug/rollbar/faults", "POST", json.dumps(faults))[0]

    def counts(self):
        return json.loads(ask(self.port, "/debug/rollbar/faults")[2])

    def line(self, **said):
        """The line that says so, once it is there."""

        def found():
            lines = map(json.loads, self.tail.out)
            return next((line for line in lines if said.items() <= line.items()), None)

        return self.tail.wait(f"a line that says {said}", found)

    def lines(self, **said):
        """The lines that say so by now."""
        return [line for line in map(json.loads, self.tail.out) if said.items() <= line.items()]

    def data(self, uuid):
        """All that is stored of an item that came lately; None where there is nothing."""
        instances = self.call("instances/")[1]["result"]["instances"]
        return next((instance["data"] for instance in instances if instance["uuid"] == uuid), None)

    def item(self, number):
        """The item of this number."""
        return self.call(f"item/{number}")[1]["result"]
