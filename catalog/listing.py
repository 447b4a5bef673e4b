"""The product list: search, groups and keyset pages."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.contrib.postgres.search import TrigramWordSimilarity
from django.db.models import Exists, F, IntegerField, OuterRef, Q, QuerySet
from django.db.models.functions import Cast

from catalog.models import Category, Product

PAGE = 30  # fills rows of two, three and five
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class BadCursor(Exception):
    """A cursor that no page gave."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ProductPage:
    products: list[Product]
    next_cursor: str  # empty on the last page


def groups_with_products() -> list[Category]:
    """Groups that hold something to show, with those above them; by path, so that a group stands before its own."""
    shown = Product.objects.filter(category=OuterRef("pk"), is_active=True)
    categories = sorted(Category.objects.annotate(is_filled=Exists(shown)), key=lambda category: category.path)
    filled = {category.path for category in categories if category.is_filled}
    return [
        category
        for category in categories
        if category.path in filled or any(path.startswith(f"{category.path}/") for path in filled)
    ]


def page_of_products(*, query: str = "", category: Category | None = None, cursor: str = "") -> ProductPage:
    """Active products: the best matches of a search first, otherwise the newest. Raises BadCursor."""
    products = Product.objects.filter(is_active=True).select_related("category")
    if category is not None:
        products = products.filter(Q(category=category) | Q(category__path__startswith=f"{category.path}/"))
    found = _matching(products, query, cursor) if query else _newest(products, cursor)
    rows = list(found[: PAGE + 1])
    more = len(rows) > PAGE
    return ProductPage(products=rows[:PAGE], next_cursor=_cursor_of(rows[PAGE - 1]) if more else "")


def _matching(products: QuerySet[Product], query: str, cursor: str) -> QuerySet[Product]:
    """Also with a typing mistake: the trigram index finds words that resemble those asked for."""
    products = products.filter(
        Q(title__trigram_word_similar=query)
        | Q(title__icontains=query)
        | Q(title_zh_hans__icontains=query)
        | Q(external_id__iexact=query)
    ).annotate(relevance=Cast(TrigramWordSimilarity(query, "title") * 1000, IntegerField()))
    if cursor:
        relevance, pk = _numbers(cursor)
        if relevance is None:
            raise BadCursor(cursor)
        products = products.filter(Q(relevance__lt=relevance) | Q(relevance=relevance, pk__lt=pk))
    return products.order_by("-relevance", "-pk")


def _newest(products: QuerySet[Product], cursor: str) -> QuerySet[Product]:
    """In the order of the index: descending, those without a date before all others."""
    if cursor:
        microseconds, pk = _numbers(cursor)
        if microseconds is None:
            products = products.filter(Q(launched_at=None, pk__lt=pk) | Q(launched_at__isnull=False))
        else:
            try:
                launched_at = EPOCH + microseconds * MICROSECOND
            except OverflowError as error:
                raise BadCursor(cursor) from error
            products = products.filter(Q(launched_at__lt=launched_at) | Q(launched_at=launched_at, pk__lt=pk))
    return products.order_by(F("launched_at").desc(), F("pk").desc())


def _cursor_of(product: Product) -> str:
    relevance = getattr(product, "relevance", None)
    if relevance is not None:
        return f"{relevance}.{product.pk}"
    if product.launched_at is None:
        return f".{product.pk}"
    return f"{(product.launched_at - EPOCH) // MICROSECOND}.{product.pk}"


def _numbers(cursor: str) -> tuple[int | None, int]:
    key, _, pk = cursor.partition(".")
    try:
        numbers = (int(key) if key else None, int(pk))
    except ValueError as error:
        raise BadCursor(cursor) from error
    if max(map(abs, filter(None, numbers)), default=0) >= 2**63:
        raise BadCursor(cursor)
    return numbers
