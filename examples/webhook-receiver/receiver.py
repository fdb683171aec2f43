#!/usr/bin/env python3
"""Receives events by a webhook, checks who sent them, and prints each once.

    PLENARY_WEBHOOK_SECRET=whsec_… examples/webhook-receiver/receiver.py 8090

Python 3.9 or later, no packages. In production a web server with TLS stands before it.
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import time
from collections import OrderedDict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOLERANCE_S = 5 * 60
BODY_BYTES_MAX = 1_000_000
IDS_KEPT = 10_000


def check(secrets, headers, body, now):
    """The id of the message; ValueError: it is not from who knows the secret, or too old."""
    message_id = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    if not message_id or not timestamp.isdigit():
        raise ValueError("webhook-id or webhook-timestamp is missing")
    if abs(now - int(timestamp)) > TOLERANCE_S:
        raise ValueError("the message is too old, or a clock is wrong")
    signed = f"{message_id}.{timestamp}.".encode() + body
    for secret in secrets:
        key = base64.b64decode(secret.removeprefix("whsec_"))
        expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        for signature in headers.get("webhook-signature", "").split(" "):
            if hmac.compare_digest(signature.encode(), expected.encode()):
                return message_id
    raise ValueError("the signature is wrong")


class Receiver(BaseHTTPRequestHandler):
    secrets = []
    known = OrderedDict()  # A database in production: it outlives this program.

    def do_POST(self):
        length = int(self.headers.get("content-length", 0))
        if length > BODY_BYTES_MAX:
            return self.answer(413)
        body = self.rfile.read(length)
        try:
            message_id = check(self.secrets, self.headers, body, time.time())
        except ValueError as error:
            print(f"refused: {error}", file=sys.stderr, flush=True)
            return self.answer(401)
        # A message comes again when the answer to it was lost.
        if message_id not in self.known:
            self.known[message_id] = True
            while len(self.known) > IDS_KEPT:
                self.known.popitem(last=False)
            event = json.loads(body)
            who = event["participant_id"] or "-"
            print(event.get("seq", "-"), event["type"], event["conference"] or "-", who, flush=True)
        self.answer(204)

    def answer(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def main():
    # Both, separated by a space, while the secret is being replaced.
    Receiver.secrets = os.environ.get("PLENARY_WEBHOOK_SECRET", "").split()
    if not Receiver.secrets or len(sys.argv) != 2 or not sys.argv[1].isdigit():
        sys.exit(__doc__)
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver)
    print(f"listening on port {server.server_port}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
