"""Links between pages of the admin: every number leads to what it counts."""

import json
from typing import Any

from django.db.models import Model
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString


def list_url(model: type[Model], **filters: Any) -> str:
    """The change list of a model, filtered."""
    options = model._meta
    url = reverse(f"admin:{options.app_label}_{options.model_name}_changelist")
    return f"{url}?{urlencode(filters)}" if filters else url


def row_url(row: Model) -> str:
    options = row._meta
    return reverse(f"admin:{options.app_label}_{options.model_name}_change", args=[row.pk])


def row_link(row: Model | None, text: object = None) -> SafeString | str:
    """The row's name as a link; a dash where there is none."""
    return "—" if row is None else format_html('<a href="{}">{}</a>', row_url(row), row if text is None else text)


def pretty_json(value: object) -> SafeString:
    return format_html('<pre class="json">{}</pre>', json.dumps(value, indent=2, ensure_ascii=False, default=str))


def tag(state: str, label: object) -> SafeString:
    """A state as a small label; its colour is a class, its meaning is the word."""
    return format_html('<span class="tag {}">{}</span>', state, label)
