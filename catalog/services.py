"""Writes to the catalogue that follow a shopper's or a partner's act."""

import secrets
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from celery import current_app
from django.conf import settings
from django.db import transaction
from django.db.models import Count, Max
from django.utils.module_loading import import_string

from catalog.impressions import forget
from catalog.models import (
    Category,
    EventType,
    Interaction,
    LessOfGroup,
    Partner,
    PartnerKey,
    Product,
    Scope,
    Shopper,
)

VIEW = "view"
PURCHASE = "purchase"
NOT_INTERESTED = "not_interested"
ONE_VIEW = timedelta(minutes=30)
SHOP_PARTNER = "shop"  # the shop's own pages send their events as this partner


def shop_partner() -> Partner:
    """The partner that stands for the shop's own pages."""
    return Partner.objects.get_or_create(slug=SHOP_PARTNER, defaults={"name": settings.SHOP_NAME})[0]


def shoppers_changed(*, shopper_ids: Iterable[int], at: datetime) -> None:
    """Mark what was computed for these shoppers as stale, and ask for a refresh once the transaction commits.

    The refresh is known by the name that the composition root gives: facts do not know guesses.
    """
    ids = sorted(set(shopper_ids))
    if not ids:
        return
    Shopper.objects.filter(pk__in=ids).update(changed_at=at)
    transaction.on_commit(
        lambda: current_app.send_task(
            settings.SHOPPERS_CHANGED_TASK,
            kwargs={"shopper_ids": ids},
            queue=settings.SHOPPERS_CHANGED_QUEUE,
        ),
        robust=True,  # what is committed is not undone by a broker that is down; `changed_at` tells what is stale
    )


@transaction.atomic
def record_act(
    *,
    shopper: Shopper,
    product: Product,
    event_type: str,
    at: datetime,
    recommendation: str = "",
) -> Interaction:
    """One thing the shopper did on a page: a view, a "not interested". Raises EventType.DoesNotExist."""
    interaction = Interaction.objects.create(
        partner=shop_partner(),
        event_id=f"page-{uuid.uuid4().hex}",
        shopper=shopper,
        product=product,
        event_type=EventType.objects.get(code=event_type),
        occurred_at=at,
        recommendation=recommendation,
    )
    shoppers_changed(shopper_ids=[shopper.pk], at=at)
    return interaction


def record_view(*, shopper: Shopper, product: Product, at: datetime, recommendation: str = "") -> Interaction | None:
    """A product page was seen; None where it was seen a short while ago, so that reloading counts once."""
    recent = Interaction.objects.filter(
        shopper=shopper, product=product, event_type__code=VIEW, occurred_at__gt=at - ONE_VIEW
    )
    if recent.exists():
        return None
    return record_act(shopper=shopper, product=product, event_type=VIEW, at=at, recommendation=recommendation)


@transaction.atomic
def exclude_history(*, shopper: Shopper, product: Product, at: datetime, is_gift: bool = False) -> int:
    """ "Don't use this purchase": none of the shopper's interactions with the product count any more.

    "It was a gift" does the same and remembers why; either way what was bought stays bought. A "not interested"
    stays: it is not history but a wish. What is stored of explanations forgets it in the same transaction. Returns
    how many were excluded.
    """
    excluded = (
        Interaction.objects.usable()
        .filter(shopper=shopper, product=product)
        .exclude(event_type__code=NOT_INTERESTED)
        .update(excluded_at=at, is_gift=is_gift)
    )
    if excluded:
        shoppers_changed(shopper_ids=[shopper.pk], at=at)  # first: it locks the shopper, as a refresh does
        import_string(settings.HISTORY_WITHDRAWN)(shopper_id=shopper.pk, product_ids=[product.pk])
    return excluded


@transaction.atomic
def include_history(*, shopper: Shopper, product: Product, at: datetime) -> int:
    """Undo of `exclude_history`. Returns how many count again."""
    included = (
        Interaction.objects.visible()
        .filter(shopper=shopper, product=product, excluded_at__isnull=False)
        .exclude(event_type__code=NOT_INTERESTED)
        .update(excluded_at=None, is_gift=False)
    )
    if included:
        shoppers_changed(shopper_ids=[shopper.pk], at=at)
    return included


@transaction.atomic
def show_again(*, shopper: Shopper, product: Product, at: datetime) -> int:
    """Undo of "not interested". Returns how many of those were withdrawn."""
    withdrawn = (
        Interaction.objects.usable()
        .filter(shopper=shopper, product=product, event_type__code=NOT_INTERESTED)
        .update(excluded_at=at)
    )
    if withdrawn:
        shoppers_changed(shopper_ids=[shopper.pk], at=at)
    return withdrawn


def less_of_group(*, shopper: Shopper, category: Category, at: datetime) -> bool:
    """Wish for less of a group and what is below it. False where that was wished before.

    Whoever shows recommendations obeys it in the same request; nothing needs to be computed first.
    """
    return LessOfGroup.objects.get_or_create(shopper=shopper, category=category, defaults={"created_at": at})[1]


def as_much_of_group(*, shopper: Shopper, category: Category) -> bool:
    """Undo of `less_of_group`. False where nothing was wished."""
    return LessOfGroup.objects.filter(shopper=shopper, category=category).delete()[0] > 0


@transaction.atomic
def set_personalised(*, shopper: Shopper, is_personalised: bool, at: datetime) -> None:
    """The *Personalised* switch. Pages obey it in the same request; nothing needs to be computed first. Off, it also
    deletes what the shopper was shown.
    """
    Shopper.objects.filter(pk=shopper.pk).update(is_personalised=is_personalised)
    if not is_personalised:
        forget(shopper=shopper)
    shopper.is_personalised = is_personalised
    shoppers_changed(shopper_ids=[shopper.pk], at=at)


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """A shopper, and how much is known of them."""

    external_id: str
    partner: Partner
    is_personalised: bool
    interactions: int
    last_interaction_at: datetime | None
    created_at: datetime


def profile_of(*, shopper: Shopper) -> Profile:
    """Read from the shopper's visible interactions, excluded ones included: they are still known."""
    known = shopper.interactions.visible().aggregate(interactions=Count("pk"), last_interaction_at=Max("occurred_at"))
    return Profile(
        external_id=shopper.external_id,
        partner=shopper.partner,
        is_personalised=shopper.is_personalised,
        created_at=shopper.created_at,
        **known,
    )


@transaction.atomic
def erase_shopper(*, shopper: Shopper) -> None:
    """Delete the shopper for good, with interactions, slates, explanations and what they were shown, and the account of
    one who is no staff.

    Locked first: an event that is being written either goes too or comes after, for a new shopper.
    """
    locked = Shopper.objects.select_for_update().filter(pk=shopper.pk).first()
    if locked is None:  # somebody was faster
        return
    account = locked.user
    import_string(settings.SHOPPER_ERASED)(shopper_id=locked.pk)
    locked.delete()
    if account is not None and not account.is_staff:
        account.delete()


def issue_key(
    *,
    partner: Partner,
    name: str,
    scopes: Iterable[Scope],
    sees_all_shoppers: bool = False,
    expires_at: datetime | None = None,
) -> tuple[PartnerKey, str]:
    """A new key and its secret, which is known only now: the digest alone is stored."""
    prefix = secrets.token_hex(4)
    secret = f"bc_{prefix}_{secrets.token_urlsafe(32)}"
    key = PartnerKey.objects.create(
        partner=partner,
        name=name,
        prefix=prefix,
        digest=PartnerKey.digest_of(secret),
        scopes=[scope.value for scope in scopes],
        sees_all_shoppers=sees_all_shoppers,
        expires_at=expires_at,
    )
    return key, secret


def revoke_keys(*, keys: Iterable[PartnerKey], at: datetime) -> int:
    """They stop working at once. Returns how many worked until now; revoking twice keeps the first time."""
    ids = [key.pk for key in keys]
    return PartnerKey.objects.filter(pk__in=ids, revoked_at=None).update(revoked_at=at)


def set_sensitive(*, categories: Iterable[Category], is_sensitive: bool) -> int:
    """Whether reasons may name these groups, from now on and in what is stored. Returns how many changed."""
    ids = [category.pk for category in categories]
    return Category.objects.filter(pk__in=ids).exclude(is_sensitive=is_sensitive).update(is_sensitive=is_sensitive)


def set_active(*, products: Iterable[Product], is_active: bool) -> int:
    """Whether these products may be shown. Returns how many changed."""
    ids = [product.pk for product in products]
    return Product.objects.filter(pk__in=ids).exclude(is_active=is_active).update(is_active=is_active)
