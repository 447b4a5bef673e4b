"""Recommendations that came into view: which products a shopper was shown today."""

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Q

from catalog.impressions import day_of, note_shown
from catalog.models import Shopper
from explanations.services import UnknownRecommendation, place_of
from recommendations.models import Slate


def note(*, shopper: Shopper, recommendation_ids: Iterable[str], at: datetime) -> int:
    """Note the products of these recommendations: the shopper's own and everybody's; other ids are left out.

    Two statements, however many. Returns how many days changed: 0 where all was noted before, or nothing may be.
    """
    places = []
    for recommendation_id in recommendation_ids:
        try:
            places.append(place_of(recommendation_id))
        except UnknownRecommendation:
            continue
    slates = Slate.objects.filter(Q(shopper=None) | Q(shopper=shopper), pk__in={slate for slate, _ in places})
    ranked = dict(slates.values_list("pk", "product_ids"))
    day = day_of(at)
    return note_shown(
        (shopper.pk, day, ranked[slate][rank - 1]) for slate, rank in places if 1 <= rank <= len(ranked.get(slate, ()))
    )
