"""The first page: what this node is, what it holds for whom, and what was asked of it."""

from __future__ import annotations

from typing import Final

from django.http import Http404, HttpResponse
from django.shortcuts import render

from convenio.web import asked
from convenio.web.asking import PageRequest
from convenio.web.middleware import YEAR_S, site
from convenio.web.shown import channels
from convenio.web.views.methods import allow

_FOR_GOOD: Final = {"Cache-Control": f"public, max-age={YEAR_S}, immutable"}


@allow("GET")
def start(request: PageRequest) -> HttpResponse:
    shown = [] if request.asking.down else [each.summary() for each in channels(request)]
    context = {"channels": shown, "asked": asked.ROWS}
    return render(request, "start.html", context, status=503 if request.asking.down else 200)


@allow("GET")
def static(request: PageRequest, name: str) -> HttpResponse:  # noqa: ARG001 - Django's order
    """The style sheet and the icon: all there is besides pages."""
    here = site()
    if name == here.style_name:
        return HttpResponse(here.style, content_type="text/css; charset=utf-8", headers=_FOR_GOOD)
    if name == "icon.svg":
        return HttpResponse(here.icon, content_type="image/svg+xml", headers=_FOR_GOOD)
    raise Http404
