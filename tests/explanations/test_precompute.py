from collections.abc import Iterator

import pytest
from django.db import OperationalError

from explanations import precompute
from explanations.slates import ExplainedSlate
from explanations.writing import Refused
from recommendations.models import Shard, Slate
from tests import stand_in
from tests.factories import ProductFactory, ShardFactory


@pytest.fixture
def shard(transactional_db: None) -> Shard:
    ProductFactory.create_batch(3)
    return ShardFactory(kind=Shard.Kind.NON_PERSONAL)


def test_a_shard_is_computed_once(shard: Shard) -> None:
    assert precompute.work(shard_id=shard.pk, compute=stand_in.compute)
    assert not precompute.work(shard_id=shard.pk, compute=stand_in.compute)

    shard.refresh_from_db()
    assert (shard.state, shard.slates, shard.attempts, Slate.objects.count()) == ("done", 2, 1, 2)


def test_a_shard_that_raises_is_given_back_with_its_error(shard: Shard) -> None:
    def compute(shard: Shard) -> Iterator[ExplainedSlate]:
        yield from stand_in.compute(shard)
        yield stand_in.compute(ShardFactory(kind="products", first_id=0, last_id=10**9, run=shard.run)).__next__()

    with pytest.raises(Refused):
        precompute.work(shard_id=shard.pk, compute=compute)

    shard.refresh_from_db()
    assert (shard.state, shard.lease_token, shard.sent_at, Slate.objects.count()) == ("pending", None, None, 0)
    assert shard.error.startswith("Refused: shard ")


def test_a_database_that_does_not_answer_is_no_failure_of_the_shard(shard: Shard) -> None:
    def compute(shard: Shard) -> list[ExplainedSlate]:
        raise OperationalError("terminating connection due to administrator command")

    with pytest.raises(OperationalError):
        precompute.work(shard_id=shard.pk, compute=compute)

    shard.refresh_from_db()
    assert (shard.state, shard.error) == ("leased", "")


def test_a_lost_lease_ends_the_work_quietly(shard: Shard) -> None:
    def compute(shard: Shard) -> Iterator[ExplainedSlate]:
        Shard.objects.filter(pk=shard.pk).update(state="pending", lease_token=None, leased_until=None)
        yield from stand_in.compute(shard)

    assert precompute.work(shard_id=shard.pk, compute=compute)

    shard.refresh_from_db()
    assert (shard.state, Slate.objects.count()) == ("pending", 0)
