"""Slates and their explanations become rows together, in one transaction, or not at all.

Rows go by COPY into temporary tables, are checked there, and are inserted from there: no ORM per row.
"""

import json
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from explanations.contract import FORMAT, Cause, Contract, Status, pack, pack_provenance
from explanations.services import SHOWN
from explanations.slates import LONGEST_SLATE, ExplainedSlate
from explanations.weights import weights_of
from recommendations import shards
from recommendations.models import Placement, Run, Shard

PERSONAL_CAUSES = frozenset({Cause.HISTORY, Cause.HISTORY_GROUP, Cause.BUY_AGAIN})

# Kept for the session: a table made and dropped by every refresh would bloat the system catalogue.
STAGING = """
CREATE TEMPORARY TABLE IF NOT EXISTS staged_slate (
    number integer, placement text, shopper_id bigint, context_product_id bigint,
    product_ids bigint[], scores float8[], probabilities float8[], history_hash text,
    contracts jsonb, is_personal boolean, explained integer, verified integer, fallback integer, withheld integer
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS staged_evidence (
    number integer, product_id bigint, interaction_id bigint
) ON COMMIT DELETE ROWS;
DELETE FROM staged_slate;
DELETE FROM staged_evidence
"""
# Erased or switched off since the slate was computed: what is non-personal is shown to them.
LEAVE_OUT = """
DELETE FROM staged_slate s WHERE s.shopper_id IS NOT NULL AND NOT EXISTS (
    SELECT FROM catalog_shopper c WHERE c.id = s.shopper_id AND (c.is_personalised OR NOT s.is_personal)
) RETURNING s.number
"""
# Also refuses any interaction cited by a slate without a shopper, whose shopper_id is null.
FOREIGN_EVIDENCE = """
SELECT e.interaction_id, s.shopper_id, e.product_id
FROM staged_evidence e JOIN staged_slate s USING (number)
LEFT JOIN catalog_interaction i
    ON i.id = e.interaction_id AND i.shopper_id = s.shopper_id AND i.product_id = e.product_id
WHERE i.id IS NULL LIMIT 1
"""
INSERT = """
WITH staged AS MATERIALIZED (
    SELECT nextval(pg_get_serial_sequence('recommendations_slate', 'id')) AS id, s.*
    FROM (SELECT * FROM staged_slate ORDER BY number) s
), slates AS (
    INSERT INTO recommendations_slate (id, run_id, placement, shopper_id, context_product_id, product_ids, scores,
        probabilities, history_hash, computed_at, explained_at)
    SELECT id, %(run)s, placement, shopper_id, context_product_id, product_ids, scores,
        probabilities, history_hash, %(computed_at)s, %(at)s
    FROM staged ORDER BY id
)
INSERT INTO explanations_explanation (slate_id, format, contracts, is_personal, explained, verified, fallback,
    withheld, created_at)
SELECT id, %(format)s, contracts, is_personal, explained, verified, fallback, withheld, %(at)s FROM staged ORDER BY id
"""
# A shopper of whom a later refresh was written meanwhile.
LEAVE_OUT_OVERTAKEN = """
DELETE FROM staged_slate s USING recommendations_slate c
WHERE c.run_id = %(run)s AND c.shopper_id = s.shopper_id AND c.superseded_at IS NULL
    AND c.computed_at >= %(computed_at)s
"""
# What came out the same keeps its id, its explanation and the feedback on it; only the time moves. But what an earlier
# release explained is explained anew.
KEEP_UNCHANGED = """
WITH kept AS (
    UPDATE recommendations_slate c SET computed_at = %(computed_at)s FROM staged_slate s
    WHERE c.run_id = %(run)s AND c.shopper_id = s.shopper_id AND c.superseded_at IS NULL
        AND c.placement = s.placement AND c.history_hash = s.history_hash
        AND c.product_ids = s.product_ids AND c.scores = s.scores AND c.probabilities = s.probabilities
        AND EXISTS (SELECT FROM explanations_explanation e WHERE e.slate_id = c.id AND e.format = %(format)s)
    RETURNING s.number
)
DELETE FROM staged_slate WHERE number IN (SELECT number FROM kept)
"""
SUPERSEDE = """
UPDATE recommendations_slate SET superseded_at = %(at)s
WHERE run_id = %(run)s AND shopper_id = ANY(%(shoppers)s) AND superseded_at IS NULL AND computed_at < %(computed_at)s
"""


class Refused(Exception):
    """A slate breaks its contract; nothing of its batch is written."""


@dataclass(kw_only=True, slots=True)
class Batch:
    """Slates as rows to copy, and what each of them counts."""

    slates: list[tuple[Any, ...]] = field(default_factory=list)
    evidence: list[tuple[int, int, int]] = field(default_factory=list)  # slate, product, interaction
    counts: list[dict[str, Any]] = field(default_factory=list)

    def add(self, slate: ExplainedSlate) -> None:
        """Check what one slate says of itself and pack it. Raises Refused."""
        _check(slate)
        number = len(self.slates)
        contracts = slate.contracts
        statuses = Counter(contract.status.value for contract in contracts)
        causes = Counter(contract.cause.value for contract in contracts if contract.status is not Status.WITHHELD)
        self.slates.append(
            (
                number,
                slate.placement.value,
                slate.shopper_id,
                slate.context_product_id,
                list(slate.product_ids),
                list(slate.scores),
                list(slate.probabilities),
                slate.history_hash,
                _stored(slate),
                any(contract.cause in PERSONAL_CAUSES for contract in contracts),
                len(contracts),
                statuses[Status.VERIFIED.value],
                statuses[Status.FALLBACK.value],
                statuses[Status.WITHHELD.value],
            )
        )
        self.evidence.extend((number, *citation) for citation in sorted(_citations(contracts)))
        by_placement = {slate.placement.value: {"slates": 1, "causes": causes, "statuses": statuses}}
        counts = {"causes": causes, "statuses": statuses, "placements": by_placement}
        if slate.placement is Placement.HOME and slate.shopper_id is not None:
            counts["weights"] = weights_of(contracts)
        self.counts.append(counts)

    def summary(self, *, without: Collection[int]) -> dict[str, Any]:
        """What was counted: causes of what may be shown, statuses of everything."""
        total: dict[str, Any] = {"left_out": len(without)}
        for number, counts in enumerate(self.counts):
            if number not in without:
                total = shards.added(total, counts)
        return total


def write_shard(*, shard: Shard, token: UUID, slates: Iterable[ExplainedSlate], at: datetime) -> int:
    """Compute the slates of a shard and write them, if the lease with `token` still holds. How many.

    Histories end at the run's `as_of`, so that is what the slates are computed as of, whenever that happens.
    Raises Refused or LeaseLost; then nothing is written.
    """
    started = time.monotonic()
    batch = Batch()
    for slate in slates:  # before the transaction opens: computing takes long
        _check_provenance(slate, shard.run)
        _check_subject(slate, shard)
        batch.add(slate)
    seconds = round(time.monotonic() - started, 3)
    with _staged(batch) as cursor:
        cursor.execute(LEAVE_OUT)
        left_out = {number for (number,) in cursor.fetchall()}
        _check_evidence(cursor)
        written = len(batch.slates) - len(left_out)
        summary = batch.summary(without=left_out)
        shards.finish(shard=shard, token=token, slates=written, summary=summary, seconds=seconds)
        cursor.execute(INSERT, {"run": shard.run_id, "computed_at": shard.run.as_of, "at": at, "format": FORMAT})
    return written


def write_refresh(*, run: Run, shopper_ids: Collection[int], slates: Iterable[ExplainedSlate], at: datetime) -> int:
    """Replace the shoppers' slates by those computed from what was known at `at`. How many were written.

    A placement for which nothing comes any more ends. Nothing happens when the run is not live any more, or, for a
    shopper, when a later refresh was quicker. Raises Refused.
    """
    batch = Batch()
    for slate in slates:
        if slate.provenance.run_id != run.pk:  # another run went live while this was computed
            return 0
        _check_provenance(slate, run)
        if slate.shopper_id not in shopper_ids:
            raise Refused(f"slate of shopper {slate.shopper_id}, who was not asked for")
        batch.add(slate)
    values: dict[str, int | datetime | list[int]] = {
        "run": run.pk,
        "shoppers": sorted(shopper_ids),
        "computed_at": at,
        "at": at,
        "format": FORMAT,
    }
    with _staged(batch) as cursor:
        # Publishing another run waits for us, or we for it.
        cursor.execute("SELECT FROM recommendations_run WHERE id = %(run)s AND state = 'live' FOR SHARE", values)
        if cursor.fetchone() is None:
            return 0
        # One refresh of a shopper at a time, and none beside the switch or an erasure.
        cursor.execute("SELECT FROM catalog_shopper WHERE id = ANY(%(shoppers)s) ORDER BY id FOR NO KEY UPDATE", values)
        cursor.execute(LEAVE_OUT)
        cursor.execute(LEAVE_OUT_OVERTAKEN, values)
        _check_evidence(cursor)
        cursor.execute(KEEP_UNCHANGED, values)
        cursor.execute(SUPERSEDE, values)
        cursor.execute(INSERT, values)
        return int(cursor.rowcount)


@contextmanager
def _staged(batch: Batch) -> Iterator[CursorWrapper]:
    """A transaction in which the batch lies in the staging tables."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(STAGING)
        for table, rows in (("staged_slate", batch.slates), ("staged_evidence", batch.evidence)):
            with cursor.copy(f"COPY {table} FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        yield cursor


def _stored(slate: ExplainedSlate) -> str:
    return json.dumps(
        {
            "provenance": pack_provenance(slate.provenance),
            "contracts": [pack(contract) for contract in slate.contracts],
        },
        allow_nan=False,
        separators=(",", ":"),
    )


def _citations(contracts: Sequence[Contract]) -> set[tuple[int, int]]:
    """Every cited interaction with the product it is said to be about."""
    return {
        (evidence.product_id, interaction)
        for contract in contracts
        for reason in (*contract.reasons, *contract.opposing)
        for evidence in reason.evidence
        for interaction in evidence.interaction_ids
    }


def _check(slate: ExplainedSlate) -> None:
    """What can be known without the database."""
    length = len(slate.product_ids)
    where = f"slate {slate.placement} of shopper {slate.shopper_id}, product {slate.context_product_id}"
    if not length == len(slate.scores) == len(slate.probabilities) <= LONGEST_SLATE:
        raise Refused(f"{where}: its arrays are not parallel, or longer than {LONGEST_SLATE}")
    if not all(map(isfinite, (*slate.scores, *slate.probabilities))):
        raise Refused(f"{where}: a score or probability is no number")
    explained = tuple(contract.product_id for contract in slate.contracts)
    if explained != slate.product_ids[:SHOWN]:
        raise Refused(f"{where}: the contracts are not those of its first {SHOWN} products")
    for rank, contract in enumerate(slate.contracts, start=1):
        if contract.status is Status.VERIFIED and not contract.verified_reasons:
            raise Refused(f"{where}: rank {rank} is called verified without a verified reason")
        if slate.shopper_id is None and contract.cause in PERSONAL_CAUSES:
            raise Refused(f"{where}: rank {rank} gives the personal cause {contract.cause} without a shopper")


def _check_provenance(slate: ExplainedSlate, run: Run) -> None:
    if (slate.provenance.run_id, slate.provenance.version_id) != (run.pk, run.version_id):
        raise Refused(f"a slate of run {slate.provenance.run_id} was computed for {run}")


def _check_subject(slate: ExplainedSlate, shard: Shard) -> None:
    """Whether the slate is one of this shard's: else another shard writes it too."""
    subject, other = slate.shopper_id, slate.context_product_id
    if shard.kind == Shard.Kind.PRODUCTS:
        subject, other = other, subject
    is_ours = other is None and (
        subject is None
        if shard.kind == Shard.Kind.NON_PERSONAL
        else subject is not None and shard.first_id <= subject <= shard.last_id
    )
    if not is_ours:
        raise Refused(
            f"shard {shard} of {shard.kind} {shard.first_id}-{shard.last_id} was given the slate of "
            f"shopper {slate.shopper_id}, product {slate.context_product_id}"
        )


def _check_evidence(cursor: CursorWrapper) -> None:
    """No reason exposes anybody: each cited interaction is the slate's own shopper's, with the product it names."""
    cursor.execute(FOREIGN_EVIDENCE)
    foreign = cursor.fetchone()
    if foreign is not None:
        interaction, shopper, product = foreign
        raise Refused(f"interaction {interaction} is not one of shopper {shopper} with product {product}")
