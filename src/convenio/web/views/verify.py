"""Checking a file that somebody was given: no sign-in, no node, nothing kept."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path
from typing import Any, Final

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpResponse
from django.shortcuts import render

from convenio.core.errors import ConvenioError, UnavailableError
from convenio.core.fields import MAX_TRUST_BYTES
from convenio.web import verdict
from convenio.web.asking import PageRequest
from convenio.web.middleware import MAX_UPLOAD_BYTES, site
from convenio.web.shown import Shown
from convenio.web.views.methods import allow
from convenio.words import N_

_RECORD: Final = "given-record"  # of a receipt, while it lies here
MAX_AT_ONCE: Final = 2
_slots: Final = threading.BoundedSemaphore(MAX_AT_ONCE)


@allow("GET", "POST")
def verify(request: PageRequest) -> HttpResponse:
    """The form; below it, after a file was sent, what checking it came to."""
    context: Shown = {"max_mib": MAX_UPLOAD_BYTES >> 20, "typed": ""}
    if request.method != "POST":
        return render(request, "verify.html", context)
    given, record = _file(request, "given"), _file(request, "record")
    context["typed"] = request.POST.get("trust", "")[:400].strip()
    if given is None:
        context["wrong"] = request.words.text(N_("Choose a file to check."))
        return render(request, "verify.html", context, status=422)
    sent = {verdict.GIVEN: given, **({_RECORD: record} if record else {})}
    files = {here: str(file.name)[-100:] for here, file in sent.items()}
    try:
        report = _check(sent, *_trust(request, context["typed"]))
    except ConvenioError as error:
        error.parameters.update(verdict.called_by_name(error.parameters, files))
        context["failed"], context["code"] = request.words.error(error), error.code
        status = 503 if isinstance(error, UnavailableError) else 422
        return render(request, "verify.html", context, status=status)
    context["report"] = verdict.shown(report, files, request.words)
    return render(request, "verify.html", context)


def _file(request: PageRequest, field: str) -> UploadedFile[Any] | None:
    """A file that was sent; None for none, and for an empty one."""
    file = request.FILES.get(field)
    return file if isinstance(file, UploadedFile) and file.size else None


def _trust(request: PageRequest, typed: str) -> tuple[bytes | str | None, bytes | None]:
    """What the visitor believes in, and a charter that has yet to be what they believe in.

    A fingerprint that was typed is never set aside for a file.
    """
    file = _file(request, "trusted")
    if file is None:
        return typed or None, None
    content = bytes(file.read(MAX_TRUST_BYTES + 1))
    return (typed, content) if typed else (content, None)


def _check(
    sent: dict[str, UploadedFile[Any]], trust: bytes | str | None, charter: bytes | None
) -> Any:
    """What was sent, in a folder of its own under names of ours: nothing else can speak for it."""
    from convenio.node import verify as door  # noqa: PLC0415 - much of core, for the one who asks

    if not _slots.acquire(blocking=False):
        raise UnavailableError("pages.busy")
    try:
        with tempfile.TemporaryDirectory(prefix="convenio-verify-") as folder:
            here = {name: Path(folder) / name for name in sent}
            for name, path in here.items():
                with path.open("wb") as file:
                    for chunk in sent[name].chunks():
                        file.write(chunk)
            return door.verify(
                here[verdict.GIVEN],
                trust=trust,
                now=int(site().clock()),
                record=here.get(_RECORD),
                charter=charter,
            )
    finally:
        _slots.release()
