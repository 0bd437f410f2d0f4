"""What goes wrong, as a plain page in the person's language.

What is not there and what is not for this person look alike, to the byte: a page never tells that
something exists.
"""

from __future__ import annotations

from typing import Final, cast

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from convenio.core.errors import (
    ConflictError,
    ConvenioError,
    MalformedError,
    RefusedError,
    UnavailableError,
    UnverifiedError,
)
from convenio.web.asking import PageRequest
from convenio.words import N_, Words

_STATUS: Final = (
    (MalformedError, 400),
    (UnverifiedError, 422),
    (ConflictError, 409),
    (RefusedError, 403),
    (UnavailableError, 503),
    (ConvenioError, 500),
)
_HIDDEN: Final = frozenset({"channel.unknown", "record.unknown", "record.name", "people.unknown"})
_NOTHING_HERE: Final = N_("There is nothing here")
_HEADINGS: Final = {
    400: N_("This could not be read"),
    403: N_("Refused"),
    409: N_("Somebody moved first"),
    422: N_("This is not verified"),
    500: N_("Our fault"),
    503: N_("Not now"),
}


# Django hands `exception` and `reason` over by name.


def refused(request: HttpRequest, error: ConvenioError) -> HttpResponse:
    """The page for an error the node answered."""
    if error.code.startswith("decide.") or error.code in _HIDDEN:
        return not_found(request)
    status = next(status for kind, status in _STATUS if isinstance(error, kind))
    words = _words(request)
    return _page(request, status, _HEADINGS[status], words.error(error), code=error.code)


def not_found(request: HttpRequest, exception: object = None) -> HttpResponse:  # noqa: ARG001
    said = N_("Either the address is wrong, or this is not for you to see.")
    return _page(request, 404, _NOTHING_HERE, _words(request).text(said))


def bad_request(request: HttpRequest, exception: object = None) -> HttpResponse:  # noqa: ARG001
    said = N_("The request was not one that these pages make. Nothing changed.")
    return _page(request, 400, _HEADINGS[400], _words(request).text(said))


def forbidden(request: HttpRequest, exception: object = None) -> HttpResponse:  # noqa: ARG001
    return forged(request)


def forged(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001
    """A form that was not sent from a page of ours, or whose page is too old."""
    said = N_(
        "The form did not come from a page of this node, or the page was open for too long. "
        "Nothing changed. Go back, load the page anew and send it again."
    )
    return _page(request, 403, _HEADINGS[403], _words(request).text(said))


def not_allowed(request: HttpRequest, allowed: str) -> HttpResponse:
    response = bad_request(request)
    response.status_code = 405
    response.headers["Allow"] = allowed
    return response


def too_large(request: HttpRequest, most: int) -> HttpResponse:
    said = _words(request).text(
        "At most {max_mib} MiB are taken here. On the command line, `convenio verify` has no such "
        "bound.",
        max_mib=max(1, most >> 20),
    )
    return _page(request, 413, N_("Too large"), said)


def fault(request: HttpRequest) -> HttpResponse:
    said = N_("These pages have failed where they should not. What was accepted until now is kept.")
    return _page(request, 500, _HEADINGS[500], _words(request).text(said))


def wrong_host() -> HttpResponse:
    """Asked under a name that is not ours: not even in a language."""
    return HttpResponse("This node has another name.\n", status=400, content_type="text/plain")


def _page(
    request: HttpRequest, status: int, heading: str, said: str, *, code: str = ""
) -> HttpResponse:
    context = {"heading": _words(request).text(heading), "said": said, "code": code}
    return render(request, "error.html", context, status=status)


def _words(request: HttpRequest) -> Words:
    """In English if the error came before anybody looked at the request."""
    page = cast(PageRequest, request)
    if not hasattr(request, "words"):
        page.words = Words("en")
    return page.words
