"""The end of `convenio demo --once`: unplug, catch up, spoil, check everything offline."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from convenio.cli.demo.content import OFFICERS
from convenio.cli.demo.pair import IN_PROSE, PARTIES, Pair
from convenio.cli.demo.proof import holds, spoil
from convenio.cli.demo.story import PUBLIC, SEALED, Story
from convenio.cli.demo.teller import Teller
from convenio.cli.link import Link
from convenio.cli.shell import Answer
from convenio.core.bundle import CHARTER
from convenio.core.card import Text
from convenio.core.errors import ConvenioError
from convenio.core.record import parse_record
from convenio.node.verify import Grade
from convenio.words.errors import HAPPENED
from convenio.words.verdicts import reason, verdict

_WHILE_AWAY: Final = tuple(
    Text(
        f"DEMO. Said while the other node was unplugged ({number} of 3).",
        f"DEMO. Dicho mientras el otro nodo estaba desconectado ({number} de 3).",
    )
    for number in (1, 2, 3)
)


@dataclass(frozen=True, slots=True)
class Checked:
    """One thing that was tried. held: it came out as it must."""

    what: str
    held: bool
    found: str


class Finale:
    """Each chapter is one method, in this order. `checks` says how all of it came out."""

    def __init__(self, teller: Teller, pair: Pair, story: Story) -> None:
        self._teller, self._pair, self._story = teller, pair, story
        self.text = teller.shell.text
        self.checks: list[Checked] = []

    def unplug(self) -> None:
        """One node is stopped; the other works on; they converge."""
        tell = self._teller
        tell.chapter(self.text("One node is unplugged"))
        self._pair.stop("us")
        said = self._story.say_more("mx", _WHILE_AWAY)
        last = {"as": OFFICERS["mx"], "record": said[-1]["place"], "channel": SEALED}
        record = self._pair.call("mx", "record", last)
        waiting = all(each["state"] == "accepted" for each in record["delivery"])
        tell.tell(
            self.text(
                "The node of the United States is off. Mexico says three more things; they are "
                "signed and safe in its log, and shown as not delivered."
            )
        )
        self._check(self.text("Nothing counts as delivered while the partner is off"), waiting)
        with tell.working(
            self.text("Starting the node of {party}", party=getattr(IN_PROSE["us"], tell.lang))
        ):
            self._pair.start("us")
        with tell.working(self.text("Waiting for the countersignature")):
            arrived = all(self._story.wait("mx", each["leaf"]) for each in said)
        tell.tell(self.text("The node is started again. Nobody repeats anything."))
        self._check(self.text("Both nodes hold the same history again"), arrived and self._same())

    def spoil_copies(self) -> None:
        """Copies are changed by one bit; the check must say so."""
        tell = self._teller
        tell.chapter(self.text("Somebody changes a copy"))
        folder = self._fresh("spoilt")
        trust = self._story.channels[SEALED]["ch"]
        place = next(row.places[0] for row in self._story.rows if row.channel == SEALED)
        bundle = folder / "notice.zip"
        args = {"as": OFFICERS["mx"], "records": [place], "channel": SEALED}
        self._pair.fetch("mx", "bundle", args, bundle)
        self._verify(
            self.text("The bundle of the notice, as it was given"), bundle, trust, Grade.VOUCHED
        )
        forged = self._backdated(bundle, folder / "forged")
        self._verify(
            self.text("A copy in which the notice is a day older"), forged, trust, Grade.FAILED
        )
        self._verify(
            self.text("The bundle without a fingerprint: it does not vouch for itself"),
            bundle,
            None,
            Grade.CONSISTENT,
        )
        log = self._copy_of_log(folder)
        spoil(_an_entry_tile(log), 40)
        public = self._story.channels[PUBLIC]["ch"]
        self._verify(
            self.text("A copy of Mexico's public log with one bit changed"),
            log,
            public,
            Grade.FAILED,
        )

    def offline(self) -> None:
        """Both nodes stopped: everything is checked from files."""
        tell = self._teller
        tell.chapter(self.text("Both nodes are off; everything is checked from files"))
        exported = {party: self._exported(party) for party in PARTIES}
        for party in PARTIES:
            self._pair.stop(party)
        for party, channels in exported.items():
            name = getattr(IN_PROSE[party], tell.lang)
            for channel, folder in channels.items():
                what = self.text(
                    "Both logs of {channel}, as {party} holds them", channel=channel, party=name
                )
                self._verify(what, folder, self._story.channels[channel]["ch"], Grade.VOUCHED)
        for party in PARTIES:
            name = getattr(IN_PROSE[party], tell.lang)
            what = self.text("Everything stored in the node of {party}, derived again", party=name)
            link = Link(self._pair.node(party), self._pair.phrase)
            try:
                self._check(what, bool(link.call("fsck", {})["clean"]))
            finally:
                link.close()

    def conclude(self) -> bool:
        """Whether everything came out as it must; said in one sentence."""
        good = all(each.held for each in self.checks)
        tell = self._teller
        tell.chapter(self.text("What this shows"))
        if good:
            tell.tell(
                self.text(
                    "Each side can show alone what was said, to whom, and since when the other has "
                    "had it; neither can change or deny it; and nobody in the middle was needed."
                )
            )
        else:
            tell.fails(self.text("Something did not come out as it must. Please report this."))
        return good

    def plain(self) -> list[Answer]:
        return [asdict(each) for each in self.checks]

    # --- helpers ---

    def _check(self, what: str, held: bool, found: str = "") -> None:
        self.checks.append(Checked(what, held, found))
        say = self._teller.proves if held else self._teller.fails
        say(f"{what}. {found}".rstrip() if found else f"{what}.")

    def _verify(self, what: str, given: Path, trust: str | None, wanted: Grade) -> None:
        """`given` must come out as `wanted`."""
        try:
            report = holds(given, trust)
        except ConvenioError as error:
            self._check(what, wanted is Grade.FAILED, self._reason(error.code, error.parameters))
            return
        words = self._teller.shell.words
        why = next((reason(each, words) for each in report.failed), "")
        heading, _ = verdict(report.grade, words)
        self._check(what, report.grade is wanted, f"{heading}. {why}" if why else f"{heading}.")

    def _reason(self, code: str, parameters: Mapping[str, object]) -> str:
        known = HAPPENED.get(code)
        return self.text(known, **{**parameters, "code": code}) if known else f"[{code}]"

    def _same(self) -> bool:
        """Each log is equally long at both nodes."""
        sizes = [
            {
                (channel["name"], member["party"]): member["entries"]
                for channel in self._pair.call(party, "status", {})["channels"]
                for member in channel["members"]
            }
            for party in PARTIES
        ]
        return sizes[0] == sizes[1]

    def _exported(self, party: str) -> dict[str, Path]:
        """For each channel a folder apart from the node: both logs as files, and the charter."""
        folders = {}
        for channel in (SEALED, PUBLIC):
            folder = self._fresh(f"{party}-{channel}")
            args = {"as": "keeper", "channel": channel}
            for log in self._pair.call(party, "export", args)["logs"]:
                shutil.copytree(log["folder"], folder / log["party"])
            shutil.copyfile(folder / "mx" / CHARTER, folder / CHARTER)
            folders[channel] = folder
        return folders

    def _backdated(self, bundle: Path, folder: Path) -> Path:
        """The bundle, unpacked, its record dated a day earlier: what a careful forger would do."""
        with zipfile.ZipFile(bundle) as packed:
            packed.extractall(folder)
        record = next(folder.rglob("*.record"))
        entry = record.read_bytes()
        at = b'"at":%d,' % (said := parse_record(entry).header.at)
        record.write_bytes(entry.replace(at, b'"at":%d,' % (said - 86_400)))
        return folder

    def _copy_of_log(self, folder: Path) -> Path:
        exported = self._pair.call("mx", "export", {"as": "keeper", "channel": PUBLIC})["logs"]
        mine = next(log for log in exported if log["party"] == "mx")
        return Path(shutil.copytree(mine["folder"], folder / "log"))

    def _fresh(self, name: str) -> Path:
        """An empty folder beside the nodes."""
        folder = self._pair.directory / "checks" / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder


def _an_entry_tile(log: Path) -> Path:
    return next(_files(log / "tile" / "entries"))


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())
