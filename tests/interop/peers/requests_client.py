# What users of Python's requests do at an Engine.IO server: requests_client.py URL WHAT. Prints what came of it.
import json
import sys
import threading
import time

import requests

url, what = sys.argv[1:]


class Session:
    """A session by long-polling, over one requests.Session: a pool of connections, and a jar of cookies."""

    def __init__(self):
        self.http = requests.Session()
        self.http.trust_env = False
        self.params = {"EIO": 4, "transport": "polling"}
        self.opened = self.get()
        self.params["sid"] = json.loads(self.opened.text[1:])["sid"]

    def get(self, **options):
        return self.http.get(url, params=self.params, timeout=options.pop("timeout", 10), **options)

    def post(self, body, **options):
        return self.http.post(url, params=self.params, data=body, timeout=10, **options)

    def connections(self):
        return self.http.adapters["http://"].poolmanager.connection_from_url(url).num_connections


def one_connection(session):
    answers = [session.post("4%d" % i).text for i in range(100)]
    polled = []
    while len(polled) < 100:
        polled += session.get().text.split("\x1e")
    return {"answers": answers, "polled": polled, "connections": session.connections()}


def cookies(session):
    answer = session.post("4x")
    return {
        "set": session.opened.headers.get("Set-Cookie"),
        "jar": session.http.cookies.get_dict(),
        "sent": answer.request.headers.get("Cookie"),
        "set again": answer.headers.get("Set-Cookie"),
        "sid": session.params["sid"],
    }


def long_poll(session):
    order = []
    poll = threading.Thread(target=lambda: order.append(session.get().text))
    poll.start()
    time.sleep(0.3)
    order.append("post")
    session.post("4at last")
    poll.join()
    return {"order": order, "connections": session.connections()}


def bodies(session):
    def chunks():
        yield b"4in"
        time.sleep(0.05)
        yield b" chunks"

    statuses = [session.post(body).status_code for body in (chunks(), "4€".encode(), "bAQID")]
    polled = session.get(stream=True)
    return {"statuses": statuses, "polled": b"".join(polled.iter_content(1)).decode()}


def too_large(session):
    def chunks():
        for _ in range(50):
            yield b"4" * 100_000

    statuses = [session.post(body).status_code for body in (b"4" * 5_000_000, chunks(), b"4fits")]
    return {"statuses": statuses, "polled": session.get().text}


def gives_up(session):
    error = None
    try:
        session.get(timeout=0.2)
    except requests.ReadTimeout as e:  # which keeps the connection open as long as it lives
        error = type(e).__name__
    time.sleep(0.2)
    return {"error": error, "next": session.get().status_code}


steps = [one_connection, cookies, long_poll, bodies, too_large, gives_up]
print(json.dumps({step.__name__: step for step in steps}[what](Session())))
