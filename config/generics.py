"""Classes of Django that are generic to the type checker can be written so: `admin.ModelAdmin[Run]`."""

from typing import Any


def make_subscriptable() -> None:
    """What django-stubs-ext does, for the few classes that we subscript; the index is for the type checker alone."""
    from django.contrib.admin import ModelAdmin, TabularInline
    from django.core.paginator import Paginator
    from django.forms import ModelForm

    def unchanged(cls: type, _index: Any) -> type:
        return cls

    for generic in (ModelAdmin, TabularInline, Paginator, ModelForm):
        if not hasattr(generic, "__class_getitem__"):
            setattr(generic, "__class_getitem__", classmethod(unchanged))  # noqa: B010  it is not declared
