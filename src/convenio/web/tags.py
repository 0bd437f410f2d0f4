"""What templates say: `{% t %}` for a text, `{% n %}` for a count, `{% when %}` for a time.

A text's message id is its English, written in the template, where tools/catalogues.py finds it.
Parameters are escaped; the text itself is ours.
"""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe

from convenio.web import wording

register = template.Library()


@register.simple_tag(takes_context=True)
def t(context: Any, msgid: str, **parameters: Any) -> SafeString:
    """The text in the page's language."""
    found = conditional_escape(context["words"].text(msgid))
    safe = {name: conditional_escape(value) for name, value in parameters.items()}
    return mark_safe(found.format_map(safe) if safe else found)  # noqa: S308 - escaped above


@register.simple_tag(takes_context=True)
def n(context: Any, one: str, many: str, count: int) -> str:
    """The text for `count` things."""
    return str(context["words"].plural(one, many, count))


@register.simple_tag(takes_context=True)
def when(context: Any, at: int) -> SafeString:
    """A minute, with its zone: 8 Oct 2021 14:05 UTC."""
    return format_html(
        '<time datetime="{}">{}</time>', wording.machine_time(at), context["words"].time(at)
    )


@register.simple_tag(takes_context=True)
def age(context: Any, at: int) -> str:
    """How long ago, roughly, by the node's clock."""
    return wording.age(context["words"], context["now"] - at)


@register.simple_tag(takes_context=True)
def size(context: Any, count: int) -> str:
    return wording.size(context["words"], count)


@register.filter
def digits(text: str) -> str:
    """A fingerprint in three lines of four groups, as it is read out."""
    groups = text.split()
    return "\n".join(" ".join(groups[at : at + 4]) for at in range(0, len(groups), 4))
