"""A Flask app that reports to Rollbar with pyrollbar, set up as the original Cruddur back end does it.

Environment: ROLLBAR_ACCESS_TOKEN; ROLLBAR_ENDPOINT, the URL of the API. Listens on a free port and prints it. The routes
that answer JSON do so once pyrollbar is done, and have with it what pyrollbar logged.
"""
import logging
import os
import signal
import sys

import rollbar
import rollbar.contrib.flask
from flask import Flask, Request, got_request_exception, request
from rollbar.logger import RollbarHandler
from werkzeug.serving import make_server


class CustomRequest(Request):
    """The way of pyrollbar's README to tell who asks."""

    @property
    def rollbar_person(self):
        return {"id": "79", "username": "ada", "email": "ada@example.com"} if "X-User" in self.headers else None


app = Flask(__name__)
app.request_class = CustomRequest
rollbar.init(
    os.environ["ROLLBAR_ACCESS_TOKEN"],
    "production",
    root=os.path.dirname(os.path.realpath(__file__)),
    allow_logging_basic_config=False,
    endpoint=os.environ["ROLLBAR_ENDPOINT"],
)
got_request_exception.connect(rollbar.contrib.flask.report_exception, app)


class Kept(logging.Handler):
    """What pyrollbar tells its user, with the exception that made it."""

    def __init__(self):
        super().__init__()
        self.texts = []

    def emit(self, record):
        error = record.exc_info and record.exc_info[1]
        self.texts.append(record.getMessage() + (f" <- {type(error).__name__}: {error}" if error else ""))

    def taken(self):
        texts, self.texts = self.texts, []
        return texts


told = Kept()
logging.getLogger("rollbar").addHandler(told)

shop = logging.getLogger("shop")
shop.setLevel(logging.DEBUG)
shop.propagate = False
shop.addHandler(RollbarHandler())


class StorageError(Exception):
    pass


class LoadUserError(Exception):
    pass


def load(user_id):
    raise StorageError(f"no row for {user_id}")


@app.route("/rollbar/test")
def rollbar_test():
    rollbar.report_message("Hello World!", "warning")
    return "Hello World!"


@app.route("/users/<int:user_id>", methods=["GET", "POST"])
def user(user_id):
    try:
        load(user_id)
    except StorageError as error:
        raise LoadUserError(f"could not load user {user_id}") from error


@app.route("/boom")
def boom():
    raise RuntimeError("boom at top")


@app.route("/report", methods=["POST"])
def report():
    """Reports the message that the JSON holds as arguments of report_message; `filler` is so many bytes more."""
    arguments = request.get_json()
    arguments["message"] += "z" * arguments.pop("filler", 0)
    uuid = rollbar.report_message(**arguments)
    rollbar.wait()
    return {"uuid": uuid, "told": told.taken()}


@app.route("/log")
def log():
    """Through logging: below the handler's level, a message with extra data, an exception with a message of its own."""
    shop.debug("cart %s opened", 7)
    shop.warning("stock low: %d", 3, extra={"extra_data": {"sku": "X1", "password": "hunter2"}})
    try:
        1 / 0
    except ZeroDivisionError:
        shop.exception("division failed for %s", "cart 7")
    rollbar.wait()
    return {"told": told.taken()}


@app.route("/caught")
def caught():
    """An exception that is reported by hand, with a level and data."""
    try:
        {}["k"]
    except KeyError:
        uuid = rollbar.report_exc_info(level="info", extra_data={"tries": 3}, payload_data={"fingerprint": "lookup"})
    rollbar.wait()
    return {"uuid": uuid, "told": told.taken()}


@app.route("/pages")
def pages():
    """The items, as pyrollbar reads pages of the API; and what its search says."""
    first = rollbar.PagedResult(None, "items/", 0, {}, {}).next_page()
    second = first.next_page()
    try:
        rollbar.search_items("Hello")
        search = "found"
    except rollbar.ApiError as error:
        search = str(error)
    return {"first": first.data, "second": second.data, "search": search, "told": told.taken()}


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
