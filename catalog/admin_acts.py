"""Acts with consequences: asked for on a page of their own, done by POST, logged, answered with a message."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse


class Refused(Exception):
    """The act is not possible; the message says why, in words for staff."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Act:
    """What is asked, and what happens when the answer is yes."""

    title: str
    lines: Sequence[str]  # what will happen
    button: str
    permission: str
    do: Callable[[], tuple[Model, str, str]]  # the row to log, the message, where to go
    back: str
    is_dangerous: bool = False


def ask(model_admin: admin.ModelAdmin[Any], request: HttpRequest, act: Act) -> HttpResponse:
    """The page that asks, or the act itself."""
    if not request.user.has_perm(act.permission):
        raise PermissionDenied
    if request.method == "POST":
        try:
            row, message, url = act.do()
        except Refused as refusal:
            model_admin.message_user(request, str(refusal), messages.ERROR)
            return redirect(act.back)
        model_admin.log_change(request, row, act.title)
        model_admin.message_user(request, message, messages.SUCCESS)
        return redirect(url)
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": act.title,
        "lines": act.lines,
        "button": act.button,
        "back": act.back,
        "is_dangerous": act.is_dangerous,
    }
    return TemplateResponse(request, "admin/confirm_act.html", context)
