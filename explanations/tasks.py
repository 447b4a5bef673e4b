"""Computing and refreshing slates on the workers."""

from celery import shared_task
from django.utils import timezone

from explanations import asking, precompute, recounts, refreshing
from explanations.rewriting import store
from recommendations import services


@shared_task
def compute_shard(*, shard_id: int) -> None:
    """Compute a shard of a run; then send what waits, or complete the run."""
    from explanations import engine  # torch: worker only

    precompute.work(shard_id=shard_id, compute=engine.compute)
    services.advance(at=timezone.now(), resend=False)


@shared_task
def refresh_shoppers(*, shopper_ids: list[int]) -> None:
    """Renew the slates of shoppers whose history changed."""
    from explanations import engine  # torch: worker only

    refreshing.refresh(shopper_ids=shopper_ids, compute=engine.refresh, at=timezone.now())


@shared_task
def refresh_stale() -> None:
    """Ask for a refresh of all whose slates are older than their history, and count what was left uncounted."""
    refreshing.send_stale()
    recounts.settle(at=timezone.now())


@shared_task
def recount() -> None:
    """Withdraw what too few people are left of, since somebody was erased."""
    recounts.settle(at=timezone.now())


@shared_task
def rewrite(*, slate_id: int, language: str) -> None:
    """Have the lines of a slate reworded."""
    store.rewrite(slate_id=slate_id, language=language, at=timezone.now())


@shared_task
def answer(*, key: str, kind: str, arguments: dict[str, int]) -> None:
    """What a page wants to know of the model at once."""
    from explanations import answering  # torch: worker only

    asking.reply(key=key, compute=lambda: answering.ANSWERS[kind](**arguments))


@shared_task
def audit() -> None:
    """Check a sample of the live run's claims by a forward of its own."""
    from explanations import audit  # torch: worker only

    audit.audit(at=timezone.now())
