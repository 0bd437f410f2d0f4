"""The demo, chapter by chapter: what the two nodes do, and what each side can prove by it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, cast

import orjson

from convenio.cli.demo import content
from convenio.cli.demo.content import (
    DUE_IN_S,
    FENTANYL_SEIZED,
    HOMICIDE_VICTIMS,
    OFFICERS,
    Json,
    Letter,
)
from convenio.cli.demo.pair import IN_PROSE, PARTIES, Pair
from convenio.cli.demo.proof import bundle_holds
from convenio.cli.demo.teller import Teller
from convenio.cli.shell import Answer
from convenio.core.card import Text
from convenio.core.errors import UnavailableError
from convenio.instruments.builtin import REQUEST
from convenio.words import N_

SEALED: Final = "bicentennial"
PUBLIC: Final = "plan"
WAIT_S: Final = 60
TITLES: Final = {
    SEALED: Text("Bicentennial Framework (demo)", "Entendimiento Bicentenario (demo)"),
    PUBLIC: Text("Plan and figures (demo)", "Plan y cifras (demo)"),
}
_AGREE_TRIES: Final = 120
_LOOK_EVERY_S: Final = 0.5
_AUTOMATIC: Final = ("received.v1", "proof.v1")


@dataclass(slots=True)
class Row:
    """One line of the table: one thing that was said, in one record or several.

    what: in the person's language. Times in seconds UTC. stored, verified: how many of `records`.
    """

    what: str
    channel: str
    party: str
    places: list[str] = field(default_factory=list)
    sent: int = 0
    stored: int = 0
    countersigned_at: int = 0
    verified: int = 0


class Story:
    """Tells the demo while it happens. Each chapter is one method, in this order."""

    def __init__(self, teller: Teller, pair: Pair) -> None:
        self._teller, self._pair = teller, pair
        self.rows: list[Row] = []
        self.channels: dict[str, Answer] = {}
        self.text = teller.shell.text

    # --- chapters ---

    def begin(self, *, fresh: bool) -> None:
        """Two nodes run."""
        tell = self._teller
        tell.chapter(self.text("Two parties, two nodes"))
        for party in PARTIES:
            with tell.working(self.text("Starting the node of {party}", party=self._name(party))):
                self._pair.start(party)
            self._pair_line(party)
        if not fresh:
            tell.tell(
                self.text("They are those of an earlier demo. What was said then is still there.")
            )
        self._pair.add_people()
        tell.tell(
            self.text(
                "Each node is a process of its own with its own keys and its own data. There is no "
                "server between them. The people who act here are made up: {names}.",
                names=", ".join(each.name for each in content.CHARACTERS),
            )
        )

    def agree(self) -> None:
        """Two channels, each under a charter signed by both."""
        tell = self._teller
        tell.chapter(self.text("A charter that both sign"))
        for name, access in ((SEALED, "members"), (PUBLIC, "public")):
            with tell.working(self.text("Signing the charter")):
                self.channels[name] = self._channel(name, access)
            title = getattr(TITLES[name], tell.lang)
            tell.tell(f"{title} ({name}):")
            groups = self.channels[name]["fingerprint"].split()
            for start in (0, 6):
                tell.show("  " + " ".join(groups[start : start + 6]))
        tell.tell(
            self.text(
                "The charter names the members, their keys and the rules, and carries the "
                "signatures of both. In life two people read these digits to each other by "
                "telephone; here the demo does it for them. From now on nobody can put other keys "
                "in between without being noticed."
            )
        )

    def publish(self) -> None:
        """Public facts of the framework, from both sides."""
        tell = self._teller
        tell.chapter(self.text("What both say in public"))
        series = (
            (
                "us",
                N_("Goals and areas of the framework, 8 October 2021"),
                "statement.v1",
                content.goals(),
            ),
            ("mx", N_("The 13 actions of October 2022"), "action.v1", content.actions()),
            (
                "mx",
                N_("Victims of intentional homicide in Mexico, 2015–2024"),
                "figure.v1",
                content.figures(HOMICIDE_VICTIMS),
            ),
            (
                "us",
                N_("Fentanyl seized by CBP, fiscal years 2020–2023"),
                "figure.v1",
                content.figures(FENTANYL_SEIZED),
            ),
        )
        for party, what, kind, values in series:
            row = self._say_public(party, self.text(what), kind, values)
            said = self.text(
                "Said by {party}: {what} ({n} records).",
                party=self._name(party),
                what=row.what,
                n=len(row.places),
            )
            tell.tell(said)
        self._settle_rows()
        tell.proves(
            self.text(
                "Each side can prove that the other has had these records since the time in the "
                "table below, word for word, with source and date. A figure that is revised later "
                "is a new record: the old one stays, and nobody can say that it was never there."
            )
        )

    def notify(self) -> None:
        """A notice under seal, before the act."""
        tell = self._teller
        tell.chapter(self.text("No surprises: a notice under seal"))
        row = self._say(self.text("Notice before the act, under seal"), content.NOTICE)
        self._settle_rows()
        at = tell.time(row.countersigned_at)
        tell.proves(
            self.text(
                "Mexico can prove, without asking anybody: the United States had this notice on "
                "{at} at the latest.",
                at=at,
            )
        )
        tell.proves(
            self.text(
                "The United States can prove: Mexico said exactly this, and not another thing "
                "afterwards. Only the two liaison desks can read it; the log shows nobody its "
                "words."
            )
        )
        self._read_back("us", row)

    def ask(self) -> None:
        """A request with a clock, and its answer."""
        tell = self._teller
        tell.chapter(self.text("A request with a clock"))
        asked = self._say(
            self.text("Request for information, three days to answer"),
            content.QUESTION,
            {"act": "ask", "inst": REQUEST.hash, "due_in": DUE_IN_S},
        )
        self._settle_rows()
        leaf = self._record("us", asked.places[0], SEALED)["leaf"]
        running = self._clock_of(leaf, "running", "in_time")  # in time: an earlier run went further
        tell.tell(
            self.text(
                "The clock runs since Mexico's own log said that the request is there. The answer "
                "is due by {due}; both nodes compute the same moment from the same records.",
                due=tell.time(running["due"]),
            )
        )
        self._say(
            self.text("Answer to the request"), content.ANSWER, {"act": "answer", "case": leaf}
        )
        self._settle_rows()
        self._clock_of(leaf, "in_time")
        tell.proves(
            self.text(
                "Mexico can prove that it answered in time. The United States can prove what it "
                "asked, when the clock began, and what it was told."
            )
        )

    def _clock_of(self, leaf: str, *wanted: str) -> Answer:
        """The clock of the request, once both nodes say the same of it and it stands so.

        Raises:  UnavailableError: demo.no_agreement, they do not come to that.
        """
        for _ in range(_AGREE_TRIES):
            told = [
                self._pair.call(party, "case", self._args(party) | {"record": leaf})["clocks"]
                for party in PARTIES
            ]
            if told[0] == told[1] and all(clock["status"] in wanted for clock in told[0]):
                return cast(Answer, told[0][0])
            time.sleep(_LOOK_EVERY_S)
        raise UnavailableError("demo.no_agreement")

    def check(self) -> bool:
        """Every row verified as a stranger would; the table."""
        tell = self._teller
        tell.chapter(self.text("The record so far"))
        for row in self.rows:
            with tell.working(self.text("Checking")):
                row.verified = self._verified(row)
        headings = [
            self.text("Record"),
            self.text("Sent"),
            self.text("Stored by partner"),
            self.text("Countersigned at"),
            self.text("Verified"),
        ]
        tell.table(headings, [self._cells(row) for row in self.rows])
        tell.tell(
            self.text(
                "“Verified” is what a third person finds who has the files and the digits above, "
                "and neither a network nor trust in either side."
            )
        )
        return all(row.verified == len(row.places) for row in self.rows)

    def plain_rows(self) -> list[Json]:
        return [asdict(row) | {"records": len(row.places)} for row in self.rows]

    # --- saying ---

    def say_more(self, party: str, texts: Sequence[Text]) -> list[Answer]:
        """New statements under seal; not waited for."""
        args = self._args(party) | {"type": "statement.v1", "bodies": [_LABEL]}
        return [self._pair.call(party, "say", args, (content.both(text),)) for text in texts]

    def wait(self, party: str, leaf: str, channel: str = SEALED) -> bool:
        """Whether the record is with the partner, all of it, in time."""
        args = {"as": OFFICERS[party], "channel": channel, "leaf": leaf, "seconds": WAIT_S}
        waited = self._pair.call(party, "wait", args)
        return bool(waited["done"])

    def _say(self, what: str, letter: Letter, more: Json | None = None) -> Row:
        party = letter.party
        said = self._said_before(party, letter.key)
        if said is None:
            args = self._args(party) | {"type": letter.type, "bodies": [_LABEL], **(more or {})}
            args["id"] = self._id(letter.key)
            said = self._pair.call(party, "say", args, (content.both(letter.text),))
        return self._add(Row(what, SEALED, party, [said["place"]]))

    def _said_before(self, party: str, key: str) -> Answer | None:
        """The record of this id, if an earlier demo in this directory has said it."""
        wanted, before = self._id(key), ""
        while True:
            args = {"as": OFFICERS[party], "channel": SEALED, "limit": 500, "before": before}
            page = self._pair.call(party, "log", args)
            for record in page["records"]:
                if record["id"] == wanted:
                    return dict(record)
            if not (before := page["next"]):
                return None

    def _say_public(self, party: str, what: str, kind: str, values: list[Json]) -> Row:
        lines = b"".join(orjson.dumps({"json": value}) + b"\n" for value in values)
        args = {"as": OFFICERS[party], "channel": PUBLIC, "to": [], "type": kind, "open": True}
        said = self._pair.call(party, "say.batch", args, (lines,))
        places = self._places(party, said["first"], said["last"])
        return self._add(Row(what, PUBLIC, party, places))

    def _places(self, party: str, first: str, last: str) -> list[str]:
        """The places from `first` to `last`, without what the node said by itself in between."""
        start, end = (int(place.partition("/")[2]) for place in (first, last))
        places = [f"{party}/{index}" for index in range(start, end + 1)]
        return [p for p in places if self._record(party, p, PUBLIC)["type"] not in _AUTOMATIC]

    def _add(self, row: Row) -> Row:
        self.rows.append(row)
        return row

    def _args(self, party: str) -> Json:
        other = next(each for each in PARTIES if each != party)
        return {"as": OFFICERS[party], "channel": SEALED, "to": [f"{other}:liaison"]}

    def _id(self, key: str) -> str:
        """The same id each time, so that an interrupted demo goes on where it was."""
        seed = f"convenio/demo/1\n{self.channels[SEALED]['ch']}\n{key}"
        return hashlib.sha256(seed.encode()).hexdigest()[:32]

    # --- looking ---

    def _record(self, party: str, place: str, channel: str) -> Answer:
        args = {"as": OFFICERS[party], "record": place, "channel": channel}
        return self._pair.call(party, "record", args)

    def _settle_rows(self) -> None:
        """Every row knows when the partner stored and countersigned its last record."""
        for row in self.rows:
            if row.countersigned_at:
                continue
            last = self._record(row.party, row.places[-1], row.channel)
            with self._teller.working(self.text("Waiting for the countersignature")):
                if not self.wait(row.party, last["leaf"], row.channel):
                    raise UnavailableError(
                        "say.no_receipt", record=last["place"], leaf=last["leaf"], seconds=WAIT_S
                    )
            records = [self._record(row.party, place, row.channel) for place in row.places]
            row.sent = records[0]["at"]
            stored = [d for record in records for d in record["delivery"] if d["cosigned_at"]]
            row.stored = len(stored)
            row.countersigned_at = max(d["cosigned_at"] for d in stored)

    def _read_back(self, party: str, row: Row) -> None:
        """The addressee opens the notice, which is noted at its own node."""
        target = self._pair.directory / "opened.txt"
        args = {
            "as": OFFICERS[party],
            "record": row.places[0],
            "channel": SEALED,
            "part": 0,
            "reason": "demo",
        }
        self._pair.fetch(party, "open", args, target)
        lines = target.read_text("utf-8").splitlines()
        target.unlink()
        said = (
            lines[lines.index("– – –") + 2 :]
            if self._teller.lang == "es"
            else lines[: lines.index("– – –")]
        )
        self._teller.tell(self.text("The desk of the United States opens it and reads:"))
        self._teller.quote(line for line in said if line)

    def _verified(self, row: Row) -> int:
        """How many of the row's records hold, checked from a bundle and the fingerprint alone."""
        target = self._pair.directory / "check.zip"
        args = {"as": OFFICERS[row.party], "records": row.places, "channel": row.channel}
        self._pair.fetch(row.party, "bundle", args, target)
        held = bundle_holds(target, self.channels[row.channel]["ch"])
        target.unlink()
        return held

    # --- small things ---

    def _channel(self, name: str, access: str) -> Answer:
        """The channel, in force at both nodes: proposed, accepted, taken back, confirmed."""
        keeper = {"as": "keeper"}
        known = {each["name"] for each in self._pair.call("mx", "channel.list", keeper)["channels"]}
        if name not in known:
            self._sign(name, access)
        digits = self._pair.call("us", "channel.show", keeper | {"channel": name})["fingerprint"]
        for party in PARTIES:
            args = keeper | {"channel": name, "fingerprint": digits}
            answer = self._pair.call(party, "channel.confirm", args)
        return answer

    def _sign(self, name: str, access: str) -> None:
        phrase = {"as": "keeper", "root_passphrase": self._pair.phrase()}
        card = (self._pair.node("us") / "card.note").read_bytes()
        title = TITLES[name]
        args = {
            **phrase,
            "name": name,
            "title_en": title.en,
            "title_es": title.es,
            "access": access,
            "cards": 1,
        }
        made = self._pair.call("mx", "channel.propose", args, (card, *self._pair.roots("mx")))
        signed = made["charter"].encode()
        both = self._pair.call("us", "channel.accept", phrase, (signed, *self._pair.roots("us")))
        self._pair.call("mx", "channel.accept", {"as": "keeper"}, (both["charter"].encode(),))

    def _name(self, party: str) -> str:
        return str(getattr(IN_PROSE[party], self._teller.lang))

    def _pair_line(self, party: str) -> None:
        self._teller.tell(self.text("The node of {party} runs.", party=self._name(party)))
        self._teller.show(f"  {self._pair.node(party)}")
        self._teller.show(f"  {self._pair.url(party)}")

    def _cells(self, row: Row) -> list[str]:
        total = len(row.places)
        return [
            row.what,
            self._teller.time(row.sent),
            self._of(row.stored, total),
            self._teller.time(row.countersigned_at),
            self._of(row.verified, total),
        ]

    def _of(self, count: int, total: int) -> str:
        if total == 1:
            return self.text("yes") if count else self.text("no, missing")
        return self.text("{count} of {total}", count=count, total=total)


_LABEL: Final[dict[str, Any]] = {"media": "text/plain", "name": "", "lang": ""}
