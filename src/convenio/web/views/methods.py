"""Which methods a page answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from django.http import HttpRequest, HttpResponseBase

from convenio.web.views import errors

P = ParamSpec("P")
R = TypeVar("R", bound=HttpRequest)
View = Callable[Concatenate[R, P], HttpResponseBase]


def allow(*methods: str) -> Callable[[View[R, P]], View[R, P]]:
    """The view is asked only with these; GET brings HEAD."""
    known = {*methods, "HEAD"} if "GET" in methods else set(methods)

    def wrap(view: View[R, P]) -> View[R, P]:
        def guarded(request: R, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if request.method not in known:
                return errors.not_allowed(request, ", ".join(sorted(known)))
            return view(request, *args, **kwargs)

        return guarded

    return wrap
