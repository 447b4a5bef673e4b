"""Small words for templates: prices, titles, undo."""

from datetime import datetime
from decimal import Decimal
from urllib.parse import urlencode

from django import template
from django.contrib.messages.storage.base import Message
from django.urls import reverse

from catalog.models import Category, Product
from explanations.phrasing.text import clean, date_of, isolated, title_of
from explanations.undo import Undo, undo_from
from recommendations.figures import label

register = template.Library()
register.filter(title_of)
register.filter(label)


@register.filter
def name_of(category: Category) -> str:
    """A group's name comes from outside as a title does."""
    return isolated(clean(category.name))


@register.filter
def one_line(text: str) -> str:
    """Any other text from outside, such as a brand."""
    return isolated(clean(text))


SIGNS = {"GBP": "£", "EUR": "€", "USD": "US$", "CNY": "¥", "JPY": "JP¥", "INR": "₹", "KRW": "₩"}
WITHOUT_CENTS = {"JPY", "KRW"}


@register.filter
def price_of(product: Product) -> str:
    """£1,234.50, or nothing where the price is not known."""
    if product.price is None:
        return ""
    digits = 0 if product.currency in WITHOUT_CENTS else 2
    amount = f"{Decimal(product.price):,.{digits}f}"
    sign = SIGNS.get(product.currency)
    return f"{sign}{amount}" if sign else f"{product.currency} {amount}"


@register.simple_tag
def percent_of(share: float) -> str:
    """In whole percent, and no more exact than that."""
    percent = round(share * 100)
    return f"{percent}%" if percent or not share else "< 1%"


@register.simple_tag
def width_of(share: float) -> int:
    """Of a bar that is 100 wide."""
    return min(100, max(1, round(share * 100)))


@register.filter
def day_of(moment: datetime) -> str:
    """12 March 2011, as the reasons write it."""
    return date_of(int(moment.timestamp()))


@register.simple_tag
def product_url(product: Product, recommendation_id: str = "") -> str:
    """The product's page; with a recommendation it tells what led there."""
    url = reverse("product", args=[product.external_id])
    return f"{url}?{urlencode({'from': recommendation_id})}" if recommendation_id else url


@register.filter
def undo_of(message: Message) -> Undo | None:
    """Where a message can be taken back."""
    return undo_from(message.extra_tags or "")
