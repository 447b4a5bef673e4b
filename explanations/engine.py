"""Slates and their checked reasons, a shard of shoppers at a time: the glue from rows to the model and back."""

# B shoppers of a batch, K recommended products, I products, J candidates of a batch, D width.
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import torch
from django.utils import timezone
from torch import Tensor

from catalog.models import EventType, Interaction, Shopper
from explanations import assembly, chances, checks, explaining, fallback, frozen, splitting
from explanations.contract import Provenance
from explanations.evidence import Units, units
from explanations.explaining import Ranked, Screened, Verified
from explanations.methods import grouping, pools, removal, tiles
from explanations.methods.own import own
from explanations.methods.reading import Reading
from explanations.services import SHOWN
from explanations.slates import LONGEST_SLATE, ExplainedSlate
from explanations.verification import REASONS_ALONE, Candidates, holds
from recommendations import inference
from recommendations.inference import Loaded, ShopperLines
from recommendations.ml.data import Histories, Ints
from recommendations.ml.ranking import owned_mask
from recommendations.models import Placement, Run, Shard

NEW = timedelta(days=28)
BATCH = 48  # shoppers at once, at most: bounds memory
FEWEST = pools.SIZE  # columns, that shapes which end there depend on nobody's candidates


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """What all shoppers of a shard share."""

    run: Run
    model: Loaded
    now: datetime
    offset_I: Tensor
    shown_I: Tensor  # may be recommended
    new_I: Tensor  # launched lately
    means: dict[str, Tensor]  # of the parts of the product vectors
    floor: float  # what a reason's Δ log p must reach
    codes: dict[int, str]  # of event types
    offered: str = ""  # the name under which `shown_I` is kept

    def provenance(self, history_hash: str, candidates: int) -> Provenance:
        return Provenance(
            version_id=self.run.version_id,
            run_id=self.run.pk,
            history_hash=history_hash,
            candidates=candidates,
            torch=torch.__version__,
            device="cpu",
            computed_at=int(self.now.timestamp()),
            offered=self.offered,
        )


def context(run: Run, *, now: datetime) -> Context:
    model = inference.loaded(run.version)
    shown_I = inference.recommendable(model)
    return Context(
        run=run,
        model=model,
        now=now,
        offset_I=frozen.offset_I(model, run),
        shown_I=shown_I,
        new_I=inference.launched_since(model, now - NEW),
        means=splitting.means(model),
        floor=max(assembly.LEAST, checks.ensure(run.version, now=run.as_of).placebo_floor),
        codes=dict(EventType.objects.values_list("pk", "code")),
        offered=frozen.offered(run, shown_I),
    )


def compute(shard: Shard) -> Iterator[ExplainedSlate]:
    """Every slate of a shard, as of its run's moment."""
    shared = context(shard.run, now=shard.run.as_of)
    if shard.kind == Shard.Kind.NON_PERSONAL:
        yield from fallback.non_personal(shared)
    elif shard.kind == Shard.Kind.PRODUCTS:
        yield from fallback.similar(shared, first_id=shard.first_id, last_id=shard.last_id)
    else:
        shoppers = Shopper.objects.filter(pk__range=(shard.first_id, shard.last_id), is_personalised=True)
        yield from personal(shared, list(shoppers.order_by("pk").values_list("pk", flat=True)))


def refresh(shopper_ids: Sequence[int]) -> Iterator[ExplainedSlate]:
    """New slates of the live run for shoppers whose history changed; nothing where no run is live."""
    run = Run.objects.live().select_related("version").first()
    if run is not None:
        yield from personal(context(run, now=timezone.now()), shopper_ids)


def personal(shared: Context, shopper_ids: Sequence[int]) -> Iterator[ExplainedSlate]:
    """The slates `home` and `buy_again` of shoppers who have a history, those with short ones first.

    Not a byte of them depends on who else is asked about: see `tiles`.
    """
    lines = inference.shopper_lines(shared.model, shopper_ids, as_of=shared.now)
    bought, hidden = not_new(shared, lines)
    for rows, length in batches(lines.histories, shared.model.bundle.model.config.history):
        batch = batch_of(shared, lines, rows, padded_to=length)
        owned = owned_mask(lines.histories, rows, shared.model.products)
        for placement in (Placement.HOME, Placement.BUY_AGAIN):
            yield from _slates(shared, batch, placement, allowed(shared, placement, owned, bought[rows], hidden[rows]))


def batches(histories: Histories, most: int, size: int = BATCH) -> Iterator[tuple[Ints, int]]:
    """Shoppers with something that is not excluded, about `size` at once, and to how many lines they are padded."""
    ends = np.concatenate([[0], np.cumsum(histories.items > 0)])[histories.offsets]
    known = np.flatnonzero(np.diff(ends) > 0)
    lines = np.minimum(np.diff(histories.offsets)[known], most)
    length = np.asarray([tiles.padded_length(count, most) for count in lines.tolist()], np.int64)
    for padded in np.unique(length).tolist():
        alike = known[length == padded]
        for rows in np.array_split(alike, -(-len(alike) // size)):
            yield rows, padded


def allowed(shared: Context, placement: Placement, owned: Tensor, bought: Tensor, hidden: Tensor) -> Tensor:
    """[B, I + 1] True for what may stand in a shopper's list: to buy again what is owned, else what is new."""
    candidates = shared.shown_I & ~hidden
    return candidates & owned if placement is Placement.BUY_AGAIN else candidates & ~owned & ~bought


def not_new(shared: Context, lines: ShopperLines) -> tuple[Tensor, Tensor]:
    """[S, I + 1] each: products that the shopper bought, whatever became of those interactions, and those it hid.

    "Don't use this purchase" takes it from the history, but it stays bought: not new to the shopper.
    """
    masks = []
    for rows in (
        Interaction.objects.bought_by(lines.shopper_ids.tolist(), until=shared.now),
        Interaction.objects.hidden_by(lines.shopper_ids.tolist(), until=shared.now),
    ):
        mask = np.zeros((len(lines.shopper_ids), shared.model.products + 1), bool)
        pairs = [(s, shared.model.number_of.get(p, 0)) for s, p in rows.values_list("shopper_id", "product_id")]
        if pairs:
            shoppers, products = np.asarray(pairs, np.int64).T
            mask[np.searchsorted(lines.shopper_ids, shoppers), products] = True
        masks.append(torch.from_numpy(mask))
    return masks[0], masks[1]


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """Some shoppers, as the model reads them and with what a reason may cite."""

    shopper_ids: list[int]
    cases: removal.Cases
    state_BD: Tensor
    reading: Reading | None
    evidence: list[Units]
    hashes: list[str]
    groups: grouping.Groups


def batch_of(shared: Context, lines: ShopperLines, rows: Ints, *, padded_to: int) -> Batch:
    model = shared.model.bundle.model
    cases = removal.cases(model, lines.histories, rows, now=int(shared.now.timestamp()), padded_to=padded_to)
    reading = removal.read(model, cases)
    state = removal.states(model, cases, tiles.filled(cases.real_BL.unsqueeze(1), 1), reading)[:, 0]
    return Batch(
        shopper_ids=lines.shopper_ids[rows].tolist(),
        cases=cases,
        state_BD=state,
        reading=reading,
        evidence=units(cases, lines, shared.model.bundle, shared.codes),
        hashes=[_hash(cases, b) for b in range(len(rows))],
        groups=grouping.groups(cases, shared.model.bundle.category_ids, shared.model.vectors_ID),
    )


def _hash(cases: removal.Cases, row: int) -> str:
    history, real = cases.history, cases.real_BL[row]
    columns = (history.items_BL, history.types_BL, history.times_BL)
    content = torch.stack([column[row][real] for column in columns]).numpy().tobytes()
    return hashlib.blake2b(content, digest_size=16).hexdigest()


@torch.inference_mode()
def _slates(shared: Context, batch: Batch, placement: Placement, candidates_BI: Tensor) -> Iterator[ExplainedSlate]:
    """1. Rank all candidates. 2. Screen the shown ones. 3. Replay what would be claimed. 4. Write the contracts.

    Only products that are a candidate of somebody in the batch are scored: `number_J` are their numbers, after zeros.
    """
    number_J = torch.nonzero(candidates_BI.any(0)).squeeze(1)
    if not len(number_J):
        return
    number_J = torch.nn.functional.pad(number_J, (max(1, FEWEST - len(number_J)), 0))
    model = shared.model.bundle.model
    candidates = candidates_of(shared, batch.cases, candidates_BI, number_J)
    found = explaining.ranked(batch.state_BD, candidates, LONGEST_SLATE)
    screened = explaining.screened(model, batch.cases, batch.groups, found, batch.reading, shown=SHOWN)
    verified = explaining.verified(model, batch.cases, found, screened, batch.reading, floor=shared.floor)
    yield from written(shared, batch, placement, number_J, found, screened, verified)


def candidates_of(shared: Context, cases: removal.Cases, candidates_BI: Tensor, number_J: Tensor) -> Candidates:
    vectors_JD, offset_J = shared.model.vectors_ID[number_J], shared.offset_I[number_J]
    mine = own(shared.model.bundle.model, cases, number_J)
    return Candidates.of(candidates_BI[:, number_J], vectors_JD, offset_J, mine, number_J)


def written(
    shared: Context,
    batch: Batch,
    placement: Placement,
    number_J: Tensor,
    found: Ranked,
    screened: Screened,
    verified: Verified,
) -> Iterator[ExplainedSlate]:
    items_BK = number_J[found.column_BK]
    shown = screened.screening.chosen_BK3.shape[1]
    chances_BK = shared.model.bundle.calibrations[placement.value](found.log_p_BK)
    findings = assembly.Findings(
        placement=placement,
        items_BK=items_BK[:, :shown],
        groups=batch.groups,
        screened=screened,
        verified=verified,
        holds_BK3=holds(verified.replay, REASONS_ALONE, shared.floor),
        taker_BK=number_J[verified.taker_BK],
        split=splitting.split(
            shared.model,
            shared.means,
            batch.state_BD,
            items_BK[:, :shown],
            shared.offset_I,
            found.candidates.own_part(batch.state_BD.unsqueeze(1), found.column_BK[:, :shown]),
        ),
        chances_BK=chances_BK,
        by_type=chances.by_type(shared, batch.cases, batch.state_BD, items_BK[:, :shown], chances_BK[:, :shown]),
    )
    contracts = assembly.contracts(shared, findings, batch.evidence)
    ids_BK = shared.model.bundle.product_ids[items_BK.numpy()].tolist()
    lengths, scores_BK = found.exists_BK.sum(1).tolist(), found.score_BK.tolist()
    counts = found.candidates.eligible_BI.sum(1).tolist()
    for row, (shopper_id, length) in enumerate(zip(batch.shopper_ids, lengths, strict=True)):
        if not length:
            continue
        yield ExplainedSlate(
            placement=placement,
            shopper_id=shopper_id,
            context_product_id=None,
            product_ids=tuple(ids_BK[row][:length]),
            scores=tuple(scores_BK[row][:length]),
            probabilities=tuple(chances_BK[row, :length].tolist()),
            history_hash=batch.hashes[row],
            contracts=contracts[row][:length],
            provenance=shared.provenance(batch.hashes[row], counts[row]),
        )
