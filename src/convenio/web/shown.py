"""What pages show: plain dictionaries made of the node's answers. No model reaches a template."""

from __future__ import annotations

from typing import Any, cast

from django.http import HttpRequest

from convenio.node.control import Answer
from convenio.web import wording
from convenio.web.asking import Asking, PageRequest
from convenio.web.middleware import site
from convenio.words import Words, names

Shown = dict[str, Any]


def page(request: HttpRequest) -> Shown:
    """What every template knows. An error may come before anybody was asked who looks."""
    here, words = site(), cast(PageRequest, request).words
    asking = getattr(request, "asking", None) or Asking(here.directory)
    other = "es" if words.lang == "en" else "en"
    query = request.GET.copy()
    query["lang"] = other
    return {
        "site": here,
        "words": words,
        "lang": words.lang,
        "other": other,
        "switch": f"{request.path}?{query.urlencode()}",
        "viewer": asking.viewer,
        "roles": [names.name_of(names.ROLES, role, words) for role in asking.viewer.roles],
        "now": asking.now or int(here.clock()),
        "down": asking.down,
        "party_name": asking.name.get(words.lang, here.party),
    }


class Channel:
    """One channel as `web.channels` answers it, with its names in one language."""

    def __init__(self, answer: Answer, words: Words, now: int) -> None:
        self.answer, self._words, self._now = answer, words, now
        self._parties = {each["party"]: each for each in answer["parties"]}

    @property
    def name(self) -> str:
        return str(self.answer["name"])

    def party(self, party: str) -> str:
        known = self._parties.get(party)
        return str(known["name"][self._words.lang]) if known else party

    def desk(self, party: str, desk: str) -> str:
        """`Liaison desk`, or the desk's own hex where the charter does not know it."""
        for each in self._parties.get(party, {"desks": ()})["desks"]:
            if each["id"] == desk:
                return str(each["name"][self._words.lang])
        return desk

    def address(self, address: str) -> str:
        party, _, desk = address.partition(":")
        return f"{self.desk(party, desk)} ({self.party(party)})"

    def summary(self) -> Shown:
        """For the list of channels and the head of each page about one."""
        answer, words = self.answer, self._words
        return {
            "name": self.name,
            "title": answer["title"][words.lang],
            "ch": answer["ch"],
            "fingerprint": answer["fingerprint"],
            "access": names.name_of(names.ACCESS, answer["access"], words),
            "public": answer["access"] == "public",
            "purpose": names.name_of(names.PURPOSES, answer["purpose"], words),
            "readable": answer["readable"],
            "parties": [self.party(party) for party in self._parties],
            "missing": [self.party(party) for party in answer["missing"]],
            "confirmed_at": answer["confirmed_at"],
            "confirmed_by": answer["confirmed_by"],
            "frozen_at": answer["frozen_at"],
            "in_force": answer["in_force"],
            "alarms": [self._alarm(alarm) for alarm in answer["standing"]["alarms"]],
            "differ": [self.party(party) for party in answer["standing"]["differ"]],
        }

    def _alarm(self, alarm: Answer) -> Shown:
        by, about = self.party(alarm["by"]), self.party(alarm["about"])
        return {"by": by, "about": about, "size": alarm["size"]}

    def logs(self) -> list[Shown]:
        """The log of each member: how much of it is here, and how the member keeps up with ours."""
        own = next((m for m in self.answer["standing"]["members"] if m["own"]), None)
        return [self._log(each, own) for each in self.answer["standing"]["members"]]

    def _log(self, member: Answer, own: Answer | None) -> Shown:
        feed, cosigned = member["feed"] or {}, member["cosigned"]
        behind = own["entries"] - cosigned["size"] if own and cosigned else 0
        return {
            "party": self.party(member["party"]),
            "own": member["own"],
            "origin": member["origin"],
            "entries": member["entries"],
            "behind_here": member["entries"] - member["folded"],
            "unfit": member["unfit"],
            "waits_for": self.party(member["waits_for"]["party"]) if member["waits_for"] else "",
            "cosigned": cosigned,
            "behind": behind,
            "silent": bool(feed.get("error")),
            "answered_at": feed.get("answered_at", 0),
            "failed_at": feed.get("failed_at", 0),
        }

    # --- records ---

    def row(self, record: Answer, title: Answer) -> Shown:
        """A record in a list."""
        return {
            "leaf": record["leaf"],
            "place": record["place"],
            "at": record["at"],
            "type": names.name_of(names.TYPES, record["type"], self._words),
            "act": names.name_of(names.ACTS, record["act"], self._words),
            "title": title.get("text", ""),
            "title_lang": title.get("lang", ""),
            "sealed": any(body["form"] == "sealed" for body in record["bodies"]),
            "bodies": len(record["bodies"]),
            "from": self.party(record["from"]),
            "to": [self.address(address) for address in record["to"]],
            "cav": wording.caveat(record["cav"]),
            "delivery": [self._brief(state) for state in record["delivery"]],
        }

    def _brief(self, state: Answer) -> Shown:
        return {
            "party": self.party(state["party"]),
            "state": state["state"],
            "words": names.name_of(wording.STATES, state["state"], self._words),
            "at": state["cosigned_at"],
        }

    def record(self, record: Answer) -> Shown:
        """A record on its own page, without its contents."""
        return {
            **self.row(record, {}),
            "id": record["id"],
            "inst": record["inst"],
            "case": record["case"],
            "due_in_h": record["due_in"] // 3600,
            "type_code": record["type"],
            "desks": [self.desk(record["from"], desk) for desk in record["desks"]],
            "data": sorted(record["data"].items()),
            "receipts": [self.receipt(record, state) for state in record["delivery"]],
        }

    def receipt(self, record: Answer, state: Answer) -> Shown:
        """What the receipt panel says of one member."""
        party = self.party(state["party"])
        return {
            "code": state["party"],
            "party": party,
            "state": state["state"],
            "words": names.name_of(wording.STATES, state["state"], self._words),
            "sentence": wording.delivery(self._words, party, state),
            "waiting": "" if state["cosigned_at"] else self._waiting(record, state["party"]),
            "given": bool(state["cosigned_at"]) and state["state"] != "broken",
        }

    def _waiting(self, record: Answer, party: str) -> str:
        """That the partner is down is how things stand, not an error."""
        since = wording.age(self._words, self._now - record["at"])
        for log in self.answer["standing"]["members"]:
            feed = log["feed"] or {}
            if log["party"] == party and feed.get("error"):
                return self._words.text(
                    "Said {since}. The node of {party} does not answer; this is kept and delivered "
                    "as soon as it does.",
                    since=since,
                    party=self.party(party),
                )
        return self._words.text("Said {since}; on its way.", since=since)


def channels(request: PageRequest) -> list[Channel]:
    """The channels the viewer may look at."""
    answer = request.asking.ask("web.channels")
    now = request.asking.now
    return [Channel(each, request.words, now) for each in answer["channels"]]


def channel(request: PageRequest, name: str) -> Channel | None:
    """One of them by name; None if it is not there, or not for this viewer."""
    return next((each for each in channels(request) if each.name == name), None)
