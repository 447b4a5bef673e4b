"""Chances by event type: that the shopper will buy it, view it, put it into a basket, as far as that was calibrated."""

# B shoppers, K products, I products of the catalogue.
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from explanations.methods.own import own
from explanations.methods.removal import Cases
from explanations.verification import Candidates
from recommendations.ml.bundle import Bundle, event_calibration
from recommendations.ml.calibration import Calibration

if TYPE_CHECKING:
    from explanations.engine import Context

Floats = NDArray[np.float64]


def by_type(
    shared: "Context", cases: Cases, state_BD: Tensor, items_BK: Tensor, of_target: Floats
) -> dict[str, Floats]:
    """Code of the event type -> [B, K] calibrated chances of these products.

    `of_target` [B, K] are those of what is ranked for, which one type alone can be called by. The others are asked of
    the whole catalogue, as they were calibrated; where none was, nothing is computed.
    """
    found: dict[str, Floats] = {}
    targets = sorted(set(shared.model.bundle.kinds.event_type_ids[shared.model.bundle.kinds.is_target].tolist()))
    if len(targets) == 1 and targets[0] in shared.codes:
        found[shared.codes[targets[0]]] = of_target
    asked = list(_calibrated(shared))
    if asked:
        everything = _everything(shared, cases)
        for code, kinds, calibration in asked:
            log_p_BI = _log_p(shared.model.bundle, everything, state_BD, kinds)
            found[code] = calibration(log_p_BI.gather(1, items_BK).double().numpy())
    return found


def _calibrated(shared: "Context") -> Iterator[tuple[str, Sequence[int], Calibration]]:
    bundle = shared.model.bundle
    for event_type_id, kinds in bundle.kinds.beside().items():
        calibration = bundle.calibrations.get(event_calibration(event_type_id))
        if calibration is not None and event_type_id in shared.codes:
            yield shared.codes[event_type_id], kinds, calibration


def _everything(shared: "Context", cases: Cases) -> Candidates:
    """The whole catalogue is a candidate."""
    eligible_BI = (torch.arange(shared.model.products + 1) > 0).expand(len(cases.real_BL), -1)
    mine = own(shared.model.bundle.model, cases)
    return Candidates.of(eligible_BI, shared.model.vectors_ID, shared.offset_I, mine)


@torch.inference_mode()
def _log_p(bundle: Bundle, everything: Candidates, state_BD: Tensor, kinds: Sequence[int]) -> Tensor:
    """[B, I + 1] the mean of the kinds' probabilities, as `evaluation.strongest_candidates` takes it."""
    everybody = torch.arange(len(state_BD))
    seen_BU = None if everything.own is None else everything.own.exists_BU
    parts = [
        torch.log_softmax(everything.scores(bundle.model.aimed(state_BD, kind), everybody, seen_BU), dim=1)
        for kind in kinds
    ]
    return torch.logsumexp(torch.stack(parts), dim=0) - math.log(len(parts))
