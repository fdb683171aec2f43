#!/usr/bin/env python3
"""Reserves, lists, watches and ejects over HTTP.

    conference.py reserve NAME MINUTES --start 2030-06-20_15:15:00
    conference.py list
    conference.py watch NAME
    conference.py eject NAME PARTICIPANT_ID

PLENARY_URL, PLENARY_LOGIN (cloudID/username) and PLENARY_KEY say where and who.
"""

import argparse
import base64
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request


class Refused(Exception):
    """What the service says about a request that it did not carry out."""


class Plenary:
    def __init__(self, url: str, login: str, key: str):
        self.url = url.rstrip("/")
        self.authorization = "Basic " + base64.b64encode(f"{login}:{key}".encode()).decode()

    def ask(self, service: str, **parameters):
        """One of the web services, by POST. Returns its JSON."""
        body = urllib.parse.urlencode(parameters).encode()
        request = urllib.request.Request(
            f"{self.url}/{service}", data=body, headers={"Authorization": self.authorization}
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise Refused(f"{service}: {error.code} {error.read().decode(errors='replace')}") from None

    def participants(self, conference: str) -> dict[str, bool]:
        """Who is in, in the order in which they entered: id, and whether muted."""
        answer = self.ask("conference_participant_list", conference_name=conference)
        return {participant["participant_id"]: participant["muted"] for participant in answer["participants"]}


def watch(plenary: Plenary, conference: str) -> None:
    """Prints every change until all participants have left."""
    before: dict[str, bool] = {}
    while True:
        try:
            now = plenary.participants(conference)
        except Refused:
            # An unreserved conference is gone when the last one leaves.
            if not before:
                raise
            now = {}
        for participant in before.keys() - now.keys():
            print(f"- {participant} left", flush=True)
        for participant, muted in now.items():
            if before.get(participant) != muted:
                entered = "" if participant in before else "entered, "
                print(f"+ {participant} {entered}{'muted' if muted else 'speaking'}", flush=True)
        if before and not now:
            return
        before = now
        time.sleep(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    reserve = commands.add_parser("reserve")
    reserve.add_argument("name")
    reserve.add_argument("minutes", type=int)
    reserve.add_argument("--start", required=True, help="UTC, as in 2030-06-20_15:15:00")
    commands.add_parser("list")
    commands.add_parser("watch").add_argument("name")
    eject = commands.add_parser("eject")
    eject.add_argument("name")
    eject.add_argument("participant")
    arguments = parser.parse_args()

    try:
        plenary = Plenary(
            os.environ.get("PLENARY_URL", "http://127.0.0.1:8080"),
            os.environ["PLENARY_LOGIN"],
            os.environ["PLENARY_KEY"],
        )
    except KeyError as missing:
        sys.exit(f"{missing.args[0]} is not set: `make run` prints an account and its key.")
    try:
        if arguments.command == "reserve":
            answer = plenary.ask(
                "conference_reservation_create",
                conference_name=arguments.name,
                max_participants=40,
                start_time=arguments.start,
                duration=arguments.minutes,
            )
            print(answer["reservation_token"])
        elif arguments.command == "list":
            for conference in plenary.ask("conference_list"):
                print(conference["conference_name"], conference["status"])
        elif arguments.command == "watch":
            watch(plenary, arguments.name)
        else:
            plenary.ask("conference_participant_eject", conference_name=arguments.name, participant_id=arguments.participant)
            print(f"{arguments.participant} ejected")
    except (Refused, OSError) as error:
        sys.exit(str(error))


main()
