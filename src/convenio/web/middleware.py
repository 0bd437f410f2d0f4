"""What happens to every request: headers, bounds, language, who is asking, errors into pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, cast

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from convenio.core.errors import ConvenioError
from convenio.web.asking import Asking, PageRequest
from convenio.web.site import MAX_FORM_BYTES, Site
from convenio.web.views import errors
from convenio.words import LANGUAGES

Handler = Callable[[HttpRequest], HttpResponse]
MAX_UPLOAD_BYTES: Final = 64 << 20
YEAR_S: Final = 365 * 24 * 3600
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


def site() -> Site:
    return cast(Site, settings.SITE)


class Headers:
    """Every answer, also an error: nothing from elsewhere, no frames, nothing kept by a cache."""

    def __init__(self, get_response: Handler) -> None:
        self._next = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            request.get_host()
        except DisallowedHost:
            response = errors.wrong_host()
        else:
            response = self._next(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Cache-Control", "no-store")
        return response


class Bounds:
    """Nothing larger than a page needs is read. Only the verify page takes files."""

    def __init__(self, get_response: Handler) -> None:
        self._next = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        most = MAX_UPLOAD_BYTES if request.path == "/verify" else MAX_FORM_BYTES
        given = request.META.get("CONTENT_LENGTH") or "0"
        too_much = not given.isascii() or not given.isdecimal() or int(given) > most
        if too_much or request.META.get("HTTP_TRANSFER_ENCODING"):
            return errors.too_large(_spoken(request, site()), most)
        return self._next(request)


class Language:
    """Which language: `?lang=` (kept in a cookie), the cookie, what the browser asks for."""

    def __init__(self, get_response: Handler) -> None:
        self._next = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        here = site()
        wish = request.GET.get("lang", "")
        if wish in LANGUAGES and request.method == "GET":
            return _switch(request, here, wish)
        response = self._next(_spoken(request, here))
        response.headers.setdefault("Content-Language", cast(PageRequest, request).words.lang)
        return response


def _spoken(request: HttpRequest, here: Site) -> HttpRequest:
    cast(PageRequest, request).words = here.words[_language(request, here)]
    return request


def _language(request: HttpRequest, here: Site) -> str:
    kept = request.COOKIES.get(here.language_cookie, "")
    return kept if kept in LANGUAGES else accepted(request.headers.get("Accept-Language", ""))


def accepted(header: str) -> str:
    """The language of ours a browser likes best; English if it names none."""
    best = ("en", 0.0)
    for wish in header[:200].split(","):
        tag, _, quality = wish.strip().partition(";q=")
        lang = tag[:2].lower()
        liking = float(quality) if quality in _QUALITIES else 1.0
        if lang in LANGUAGES and liking > best[1]:
            best = (lang, liking)
    return best[0]


_QUALITIES: Final = {"0", "1", *(f"0.{tenth}" for tenth in range(10))}


def _switch(request: HttpRequest, here: Site, wish: str) -> HttpResponse:
    """The same page in the other language, under an address without the wish."""
    query = request.GET.copy()
    del query["lang"]
    where = request.path + (f"?{query.urlencode()}" if query else "")
    response = HttpResponseRedirect("/" + where.lstrip("/"))  # never `//elsewhere`
    response.set_cookie(
        here.language_cookie, wish, max_age=YEAR_S, httponly=True, samesite="Lax", secure=here.https
    )
    return response


class Viewer:
    """Who is asking; and what the node refuses, in words."""

    def __init__(self, get_response: Handler) -> None:
        self._next = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        here, page = site(), cast(PageRequest, request)
        page.asking = Asking(here.directory)
        if not request.path.startswith("/static/"):
            page.asking.introduce(request.COOKIES.get(here.session_cookie, ""))
        return self._next(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, ConvenioError):
            return errors.refused(request, error)
        return None
