"""Channels and trust: who is in each, its fingerprint, how far each log has come, alarms."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render

from convenio.web import shown
from convenio.web.asking import PageRequest
from convenio.web.views.methods import allow


@allow("GET")
def channels(request: PageRequest) -> HttpResponse:
    listed = [{**each.summary(), "logs": each.logs()} for each in shown.channels(request)]
    return render(request, "channels.html", {"channels": listed})
