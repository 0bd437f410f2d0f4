"""Coming in by a one-time link from the command line, and going out."""

from __future__ import annotations

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render

from convenio.core.errors import RefusedError
from convenio.web.asking import PageRequest
from convenio.web.middleware import site
from convenio.web.views.methods import allow


@allow("GET", "POST")
def enter(request: PageRequest, secret: str) -> HttpResponse:
    """The link shows whose it is; only the button uses it up, so that no preview of it can."""
    try:
        if request.method == "POST":
            return _enter(request, secret)
        person = request.asking.call("web.whose", secret=secret)["person"]
    except RefusedError as error:
        context = {"said": request.words.error(error)}
        return render(request, "no_entry.html", context, status=410)
    return render(request, "enter.html", {"person": person})


def _enter(request: PageRequest, secret: str) -> HttpResponse:
    given = request.asking.call("web.enter", secret=secret)
    response = HttpResponseRedirect("/")
    response.set_cookie(
        site().session_cookie,
        given["secret"],
        max_age=given["until"] - request.asking.now,
        httponly=True,
        samesite="Lax",
        secure=site().https,
    )
    return response


@allow("POST")
def leave(request: PageRequest) -> HttpResponse:
    """The session ends at the node, so that a copy of its cookie is worth nothing."""
    here = site()
    session = request.COOKIES.get(here.session_cookie, "")
    if session:
        request.asking.call("web.leave", session=session[:200])
    response = HttpResponseRedirect("/")
    response.delete_cookie(here.session_cookie, samesite="Lax")
    return response
