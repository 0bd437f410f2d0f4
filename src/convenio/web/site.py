"""Django, configured for one node from nothing but its directory and a host name."""

from __future__ import annotations

import hashlib
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import got_request_exception

from convenio.node.config import read_config
from convenio.words import Words

_log = logging.getLogger("convenio.pages")
HERE: Final = Path(__file__).resolve().parent
MAX_FORM_BYTES: Final = 64 * 1024
HUES: Final = 6  # party colours in style.css


def system_clock() -> float:
    """Seconds UTC by this machine, for what is asked while no node answers."""
    return time.time()  # noqa: TID251 - this process has its own wiring, and this is it


@dataclass(frozen=True)
class Site:
    """The node whose pages these are. host: the one name they answer to.

    https: browsers come through a web server with TLS, and only through it.
    """

    directory: Path
    host: str
    party: str
    clock: Callable[[], float] = system_clock
    https: bool = False

    @property
    def session_cookie(self) -> str:
        """Named for the party: a browser sends cookies to every port of a host."""
        return f"convenio_{self.party}"

    @property
    def language_cookie(self) -> str:
        return f"convenio_{self.party}_lang"

    @property
    def form_cookie(self) -> str:
        return f"convenio_{self.party}_form"

    @property
    def hue(self) -> int:
        """The number of the party's colour in the style sheet."""
        return sum(self.party.encode()) % HUES

    @cached_property
    def words(self) -> dict[str, Words]:
        return {lang: Words(lang) for lang in ("en", "es")}

    @cached_property
    def style(self) -> bytes:
        return (HERE / "static" / "style.css").read_bytes()

    @cached_property
    def style_name(self) -> str:
        """Changes with the content, so that browsers may keep it for good."""
        return f"style.{hashlib.sha256(self.style).hexdigest()[:12]}.css"

    @cached_property
    def icon(self) -> bytes:
        return (HERE / "static" / "icon.svg").read_bytes()


def site_of(directory: Path, host: str, *, https: bool = False) -> Site:
    """Raises:  RefusedError: config.no_node · MalformedError: config.*."""
    return Site(directory, host, read_config(directory).party, https=https)


def make_application(directory: Path, host: str, *, https: bool = False) -> WSGIHandler:
    """The pages as a WSGI application; once in a process."""
    configure(site_of(directory, host, https=https))
    return _Https() if https else WSGIHandler()


class _Https(WSGIHandler):
    """Knows, from how it was started and from no header, that browsers came by TLS."""

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        return super().__call__({**environ, "wsgi.url_scheme": "https"}, start_response)


def configure(site: Site) -> None:
    """Django serves this site from now on."""
    settings.configure(**django_settings(site))
    django.setup(set_prefix=False)
    logging.getLogger("django").setLevel(logging.CRITICAL)  # it would write addresses, with secrets
    got_request_exception.connect(_log_fault)


def _log_fault(**_: object) -> None:
    _log.exception("page_fault")


def django_settings(site: Site) -> dict[str, Any]:
    """No database, no sessions of Django's, no installed app: what is here is all there is."""
    return {
        "SITE": site,
        "DEBUG": False,
        "SECRET_KEY": secrets.token_hex(32),  # Django wants one; nothing is signed with it
        "ALLOWED_HOSTS": [site.host],
        "ROOT_URLCONF": "convenio.web.urls",
        "INSTALLED_APPS": [],
        "DATABASES": {},
        "USE_I18N": False,
        "USE_TZ": True,
        "LOGGING_CONFIG": None,
        "MIDDLEWARE": [
            "convenio.web.middleware.Headers",
            "convenio.web.middleware.Bounds",
            "convenio.web.middleware.Language",
            "convenio.web.middleware.Viewer",
            "django.middleware.csrf.CsrfViewMiddleware",
        ],
        "CSRF_COOKIE_NAME": site.form_cookie,
        "CSRF_COOKIE_HTTPONLY": True,
        "CSRF_COOKIE_SAMESITE": "Strict",
        "CSRF_COOKIE_AGE": None,
        "CSRF_COOKIE_SECURE": site.https,
        "CSRF_FAILURE_VIEW": "convenio.web.views.errors.forged",
        "DATA_UPLOAD_MAX_MEMORY_SIZE": MAX_FORM_BYTES,
        "DATA_UPLOAD_MAX_NUMBER_FIELDS": 20,
        "DATA_UPLOAD_MAX_NUMBER_FILES": 3,
        "FILE_UPLOAD_HANDLERS": ["django.core.files.uploadhandler.TemporaryFileUploadHandler"],
        "TEMPLATES": [
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "DIRS": [HERE / "templates"],
                "OPTIONS": {
                    "builtins": ["convenio.web.tags"],
                    "context_processors": ["convenio.web.shown.page"],
                },
            }
        ],
    }
