"""Every address. What is not here is nowhere; who may see what is there, the node decides."""

from __future__ import annotations

from django.urls import path, register_converter
from django.urls.converters import StringConverter

from convenio.web.views import errors, records, signin, start, trust, verify


class Hex(StringConverter):
    """64 hex digits: a leaf hash, or the secret of a link."""

    regex = "[0-9a-f]{64}"


class Name(StringConverter):
    """What channels and parties are called."""

    regex = "[a-z][a-z0-9-]{0,39}"


register_converter(Hex, "hex")
register_converter(Name, "name")

urlpatterns = [
    path("", start.start, name="start"),
    path("channels", trust.channels, name="channels"),
    path("channels/<name:channel>", records.of_channel, name="records"),
    path("records/<hex:leaf>", records.record, name="record"),
    path("records/<hex:leaf>/open/<int:part>", records.open_sealed, name="open"),
    path("records/<hex:leaf>/content/<int:part>", records.content, name="content"),
    path("records/<hex:leaf>/receipt/<name:party>", records.receipt, name="receipt"),
    path("records/<hex:leaf>/bundle", records.bundle, name="bundle"),
    path("verify", verify.verify, name="verify"),
    path("enter/<hex:secret>", signin.enter, name="enter"),
    path("leave", signin.leave, name="leave"),
    path("static/<str:name>", start.static, name="static"),
]
handler400 = errors.bad_request
handler403 = errors.forbidden
handler404 = errors.not_found
handler500 = errors.fault
