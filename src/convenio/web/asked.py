"""What the two press reports that started the project ask for, and the screen that answers it.

The reports are of 8 October 2021, on the U.S.-Mexico Bicentennial Framework. A row without a page
is not built yet, and says so; a test follows every page that is named.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from convenio.words import N_


class Answer(StrEnum):
    """How far the product answers a row."""

    HERE = "here"
    PARTLY = "partly"
    NOT_YET = "not_yet"


@dataclass(frozen=True, slots=True)
class Row:
    """One thing asked for. page: the name of an address, '' if there is none. note: what is there
    of it, where that is only a part."""

    says: str
    must: str
    answer: Answer
    page: str = ""
    note: str = ""


ROWS: Final = (
    Row(
        N_("An ex-minister was arrested “without tipping Mexico in advance”."),
        N_("No surprises: a notice is provably given, or provably missing."),
        Answer.PARTLY,
        "channels",
        N_("Notices are signed, delivered and countersigned. Their clock comes later."),
    ),
    Row(
        N_("“Hundreds of pages of evidence” were handed over, then published."),
        N_("Who handed it over keeps control: conditions, recall, every opening on record."),
        Answer.PARTLY,
        "channels",
        N_("Contents are sealed to named desks; an opening asks a purpose and is on record."),
    ),
    Row(
        N_("“Tensions have remained”: each side doubts the other's word."),
        N_("One history that neither side can rewrite and either side can prove alone."),
        Answer.HERE,
        "channels",
    ),
    Row(
        N_("One side calls the allegations “groundless” and the case fabricated."),
        N_("Anybody checks a record and its receipt, without asking either government."),
        Answer.HERE,
        "verify",
    ),
    Row(
        N_("Two governments say different things about the same Friday."),
        N_("Source documents kept by hash; every claim cited to its passage."),
        Answer.NOT_YET,
    ),
    Row(
        N_("“A detailed plan by the end of January 2022.”"),
        N_("One plan both have signed: goals, actions, owners, deadlines."),
        Answer.NOT_YET,
    ),
    Row(
        N_("Billions went into Merida, a “U.S. funding stream”."),
        N_("Money and deliveries, tied to actions, seen alike by both sides."),
        Answer.NOT_YET,
    ),
    Row(
        N_("“The homicide rate hasn't dropped”; “a complete failure”."),
        N_("Did it work? Agreed indicators, every revision kept, the method signed first."),
        Answer.NOT_YET,
    ),
    Row(
        N_("“The role of U.S. agents in Mexico”, and a law that restricts them."),
        N_("A register of accredited agents, and their contact reports."),
        Answer.NOT_YET,
    ),
    Row(
        N_("“Intelligence sharing.”"),
        N_("Requests for information that run under legal clocks."),
        Answer.NOT_YET,
    ),
    Row(
        N_("Ports, and chemicals for synthetic drugs."),
        N_("Pre-export notices; manifests screened against lists both hold."),
        Answer.NOT_YET,
    ),
    Row(
        N_("Illegal guns pour in; “ghost guns” have no serial number."),
        N_("Firearm traces, also for a gun without a serial number."),
        Answer.NOT_YET,
    ),
    Row(
        N_("“Nearly 100,000 people have gone missing.”"),
        N_("Search and match that asks the person found first."),
        Answer.NOT_YET,
    ),
    Row(
        N_("Kidnappers telephone migrants' families for ransom."),
        N_("Extortion reports that both sides can follow up."),
        Answer.NOT_YET,
    ),
    Row(
        N_("Asylum seekers wait in dangerous border cities."),
        N_("Protection cases: people are protected, not listed."),
        Answer.NOT_YET,
    ),
)
