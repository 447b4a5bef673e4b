"""The live version of an installation, as its worker reads it: needs Django set up."""

from django.utils import timezone

from catalog.models import Shopper
from recommendations import inference
from recommendations.models import Run
from tests.benchmarks.explanations.subjects import Subject, drawn


class NothingLive(Exception):
    """Remedy: `make demo`, or publish a run."""


def load() -> Subject:
    """As of the live run's moment."""
    run = Run.objects.live().select_related("version").first()
    if run is None:
        raise NothingLive("No run is live. Remedy: start `make demo` once, or publish a run.")
    as_of = run.as_of or timezone.now()
    loaded = inference.loaded(run.version)
    ids = Shopper.objects.filter(is_personalised=True).order_by("pk").values_list("pk", flat=True)
    histories = inference.shopper_lines(loaded, list(ids), as_of=as_of).histories
    shoppers, learners = drawn(loaded.bundle.model, histories)
    return Subject(
        name="demo",
        model=loaded.bundle.model,
        histories=histories,
        now=int(as_of.timestamp()),
        vectors_ID=loaded.vectors_ID.clone(),
        offset_I=inference.offset_I(loaded, as_of=as_of),
        shown_I=inference.recommendable(loaded),
        shoppers=shoppers,
        learners=learners,
        facts={
            "shoppers": len(histories),
            "products": loaded.products,
            "ndcg@10": run.version.metrics.get("new", {}).get("transformer", {}).get("ndcg@10"),
            "weights": run.version.weights_checksum[:16],
        },
    )
