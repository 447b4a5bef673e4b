"""What a run knows of all shoppers together, counted once: whoever needs it first counts."""

# I products.
import hashlib
import zlib

import numpy as np
import torch
from torch import Tensor

from explanations.models import FrozenCounts, OfferedProducts
from recommendations import inference
from recommendations.inference import Loaded
from recommendations.models import Run


def offset_I(model: Loaded, run: Run) -> Tensor:
    """[I + 1] what a product's score has without any history, the same for as long as the run is shown.

    With the version and the run fixed, what other shoppers do changes no score, no rank and no sentence.
    """
    if not model.bundle.model.config.uses_popularity or run.pk is None:
        return inference.offset_I(model, as_of=run.as_of)
    stored = FrozenCounts.objects.filter(run=run).first()
    if stored is None:
        counted = inference.recent_popularity(model, as_of=run.as_of).numpy().astype(np.float32).tobytes()
        stored, _ = FrozenCounts.objects.get_or_create(run=run, defaults={"recent_popularity": counted})
    popularity_I = torch.from_numpy(np.frombuffer(bytes(stored.recent_popularity), np.float32).copy())
    return inference.offset_I(model, as_of=run.as_of, popularity_I=popularity_I)


def offered(run: Run, shown_I: Tensor) -> str:
    """The name under which what may be recommended now is kept with the run."""
    if run._state.adding:  # asked of a version that was never precomputed: nothing is written
        return ""
    bits = np.packbits(shown_I.numpy()).tobytes()
    digest = hashlib.blake2b(bits, digest_size=16).hexdigest()
    if not OfferedProducts.objects.filter(run=run, digest=digest).exists():
        OfferedProducts.objects.get_or_create(run=run, digest=digest, defaults={"products": zlib.compress(bits)})
    return digest
