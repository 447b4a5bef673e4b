"""What an audit counts, and what the slates share that were computed from the same products on offer."""

# I products.
import zlib
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from explanations.models import OfferedProducts
from explanations.plain import Flags, Floats, PlainModel
from recommendations import inference
from recommendations.inference import Loaded
from recommendations.models import Run

EXAMPLES = 20
CLOSE = 1e-3  # of scores and Δ log p: a contract keeps six digits
TIE = 1e-4  # products whose scores differ by less may stand either way

Claim = tuple[str, bool, object, object]  # which check, whether it holds, what was claimed, what was found


@dataclass(kw_only=True, slots=True)
class Tally:
    """What was checked, and what did not hold."""

    checked: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    examples: list[dict[str, object]] = field(default_factory=list)
    moved_on: int = 0

    def check(self, code: str, holds: bool, *, slate: int, rank: int, claimed: object, found: object) -> None:
        self.checked[code] += 1
        if not holds:
            self.failed[code] += 1
            if len(self.examples) < EXAMPLES:
                example = {"slate": slate, "rank": rank, "check": code, "claimed": str(claimed), "found": str(found)}
                self.examples.append(example)

    def claim(self, slate: int, rank: int, claim: Claim) -> None:
        code, holds, claimed, found = claim
        self.check(code, holds, slate=slate, rank=rank, claimed=claimed, found=found)


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """What all slates share for which the same products were on offer."""

    model: Loaded
    plain: PlainModel
    offset_I: Floats
    shown_I: Flags
    is_kept: bool  # else nobody wrote down what was on offer, and what is on offer now is the best guess

    @classmethod
    def of(cls, run: Run, model: Loaded, plain: PlainModel, offset_I: Floats, offered: str) -> "Frame":
        kept = OfferedProducts.objects.filter(run=run, digest=offered).first()
        if kept is None:
            shown_I: Flags = inference.recommendable(model).numpy()
        else:
            bits = np.frombuffer(zlib.decompress(bytes(kept.products)), np.uint8)
            shown_I = np.unpackbits(bits)[: model.products + 1].astype(bool)
        return cls(model=model, plain=plain, offset_I=offset_I, shown_I=shown_I, is_kept=kept is not None)
