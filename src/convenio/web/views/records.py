"""The records of a channel, one record, its contents and its proofs."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, Final, cast

from django.http import FileResponse, Http404, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render

from convenio.core.errors import ConvenioError, RefusedError, UnverifiedError
from convenio.node.control import Answer
from convenio.store.passing import passing
from convenio.web import reading, shown, wording
from convenio.web.asking import PageRequest
from convenio.web.middleware import site
from convenio.web.shown import Channel, Shown
from convenio.web.views.methods import allow
from convenio.words import names

PAGE: Final = 25
SCRATCH: Final = "scratch"
MAX_PURPOSE: Final = 500
_MARK: Final = re.compile(r"[0-9]{1,15}\.[a-z0-9]{2,16}\.[0-9]{1,15}", re.ASCII)
_UNSAFE: Final = re.compile(
    r'[\x00-\x1f\x7f/\\:*?"<>|;%]|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]'
)
# What a browser may be told of a file: it is saved, never shown, whatever it says it is.
_MEDIA: Final = frozenset(
    {
        *("application/json", "application/pdf", "application/zip", "image/jpeg", "image/png"),
        *("text/csv", "text/plain"),
    }
)


@allow("GET")
def of_channel(request: PageRequest, channel: str) -> HttpResponse:
    """Newest first. `before` is the mark the page before ended with."""
    found = _channel(request, channel)
    before = request.GET.get("before", "")
    if before and not _MARK.fullmatch(before):
        raise Http404
    automatic = request.GET.get("automatic") == "1"
    listed = request.asking.ask(
        "log", channel=channel, limit=PAGE, before=before, automatic=automatic
    )
    records = listed["records"]
    leaves = [each["leaf"] for each in records]
    titles = request.asking.ask("web.titles", records=leaves, lang=request.words.lang)["titles"]
    context = {
        "channel": found.summary(),
        "records": [found.row(each, titles.get(each["leaf"], {})) for each in records],
        "next": listed["next"],
        "before": before,
        "automatic": automatic,
    }
    return render(request, "records.html", context)


@allow("GET")
def record(request: PageRequest, leaf: str) -> HttpResponse:
    return _record_page(request, leaf)


@allow("GET", "POST")
def open_sealed(request: PageRequest, leaf: str, part: int) -> HttpResponseBase:
    """A sealed content, once its reader has said what for. The node writes that down first."""
    if request.method != "POST":
        return HttpResponseRedirect(f"/records/{leaf}")
    _require_person(request)
    purpose = " ".join(request.POST.get("purpose", "").split())
    if not 3 <= len(purpose) <= MAX_PURPOSE:
        return _record_page(request, leaf, faulty=part, typed=purpose[:MAX_PURPOSE])
    args: Answer = {"record": leaf, "part": part, "reason": purpose}

    def ask(file: BinaryIO, most: int) -> Answer:
        return request.asking.ask("open", files=[file.fileno()], most=most, **args)

    with passing(ask, site().directory / SCRATCH) as (out, label):
        content = _readable(out, label, request)
        if "save" in request.POST or not content:
            return _download(out, label, f"{leaf[:16]}-{part}")
    opened = {"part": part, "purpose": purpose, **content}
    return _record_page(request, leaf, opened=opened)


@allow("GET")
def content(request: PageRequest, leaf: str, part: int) -> HttpResponseBase:
    """A content that is plain to the channel, to be saved."""
    with _scratch() as out:
        label = request.asking.ask("web.read", record=leaf, part=part, files=[out.fileno()])
        return _download(out, label, f"{leaf[:16]}-{part}")


@allow("GET")
def receipt(request: PageRequest, leaf: str, party: str) -> HttpResponseBase:
    """The proof that a member holds the record, as a file other programs read too."""
    with _scratch() as out:
        request.asking.ask("receipt", record=leaf, party=party, files=[out.fileno()])
        name = f"{leaf[:16]}.{party}.tlog-proof"
        return _attachment(out, name, "application/octet-stream")


@allow("GET", "POST")
def bundle(request: PageRequest, leaf: str) -> HttpResponseBase:
    """The record with all that is needed to check it, without its contents. It is on record."""
    if request.method != "POST":
        return HttpResponseRedirect(f"/records/{leaf}")
    _require_person(request)
    with _scratch() as out:
        request.asking.ask("bundle", records=[leaf], with_bodies=False, files=[out.fileno()])
        return _attachment(out, f"{leaf[:16]}.zip", "application/zip")


def _require_person(request: PageRequest) -> None:
    """What is written down needs somebody who did it; for a stranger there is nothing here."""
    if not request.asking.viewer.person:
        raise Http404


# --- the page of one record ----------------------------------------------------------------------


def _channel(request: PageRequest, name: str) -> Channel:
    found = shown.channel(request, name)
    if found is None:
        raise Http404
    return found


def _record_page(
    request: PageRequest,
    leaf: str,
    *,
    faulty: int = -1,
    typed: str = "",
    opened: Shown | None = None,
) -> HttpResponse:
    """faulty: the part whose purpose was not said properly; typed: what was said instead.
    opened: a sealed content, just opened."""
    asking = request.asking
    answer = asking.ask("record", record=leaf)
    found = _channel(request, answer["channel"])
    rules = asking.ask("web.rules", record=leaf)["open"]
    checked = {**answer, "delivery": [_checked(request, leaf, each) for each in answer["delivery"]]}
    context = {
        "channel": found.summary(),
        "record": found.record(checked),
        "title": _title(request, leaf),
        "parts": [
            {**_part(request, found, answer, part, rule), "faulty": part == faulty}
            for part, rule in enumerate(rules)
        ],
        "typed": typed,
        "opened": opened,
    }
    return render(request, "record.html", context, status=422 if faulty >= 0 else 200)


def _title(request: PageRequest, leaf: str) -> Shown:
    lang = request.words.lang
    titles = request.asking.ask("web.titles", records=[leaf], lang=lang)["titles"]
    return dict(titles[leaf])


def _checked(request: PageRequest, leaf: str, state: Answer) -> Answer:
    """A receipt is made and checked each time the page is shown: what does not hold is red."""
    if not state["cosigned_at"]:
        return state
    try:
        with _scratch() as out:
            request.asking.ask("receipt", record=leaf, party=state["party"], files=[out.fileno()])
    except UnverifiedError:
        return {**state, "state": "broken"}
    except RefusedError:
        return state
    return state


def _part(request: PageRequest, found: Channel, record: Answer, part: int, rule: str) -> Shown:
    """One content: how it is kept, who may read it, and itself where it is plain to the channel."""
    body, words = record["bodies"][part], request.words
    text: Shown = {}
    if (
        body["form"] == "open"
        and body["here"]
        and not rule
        and body["bytes"] <= 2 * reading.MAX_BYTES
    ):
        text = _plain(request, record["leaf"], part)
    return {
        "part": part,
        "number": part + 1,
        "form": body["form"],
        "form_words": names.name_of(wording.FORMS, body["form"], words),
        "bytes": body["bytes"],
        "readers": [found.address(address) for address in body["to"]],
        "here": body["here"],
        "refused": wording.rule(words, rule) if rule else "",
        **text,
    }


def _plain(request: PageRequest, leaf: str, part: int) -> Shown:
    try:
        with _scratch() as out:
            label = request.asking.ask("web.read", record=leaf, part=part, files=[out.fileno()])
            return _readable(out, label, request)
    except ConvenioError as error:
        return {"refused": request.words.error(error)}


# --- files ---------------------------------------------------------------------------------------


@contextmanager
def _scratch() -> Iterator[BinaryIO]:
    """A file without a name in the node's own folder; what is opened is in nobody's /tmp."""
    with tempfile.TemporaryFile(dir=site().directory / SCRATCH) as file:
        yield cast(BinaryIO, file)


def _readable(file: BinaryIO, label: Answer, request: PageRequest) -> Shown:
    file.seek(0)
    return reading.shown(file.read(reading.MAX_BYTES + 1), label, request.words)


def _download(file: BinaryIO, label: Answer, plain_name: str) -> FileResponse:
    name = _UNSAFE.sub("_", label["name"]).strip(" ._")[:100]
    media = label["media"] if label["media"] in _MEDIA else "application/octet-stream"
    return _attachment(file, name or plain_name, media)


def _attachment(file: BinaryIO, name: str, media: str) -> FileResponse:
    file.seek(0)
    kept = os.fdopen(os.dup(file.fileno()), "rb")  # the response closes it when it is sent
    response = FileResponse(kept, as_attachment=True, filename=name, content_type=media)
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return response
