"""Rows for tests: a factory for every model.

`build()` before `create()`. A run is born ready: `tests.worlds` gives it explained slates and makes it live.
"""

# mypy: disable-error-code="no-untyped-call"
# The package's declarations carry no types.

import hashlib
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib import import_module
from typing import Any, ClassVar, TypeVar

from django.db.models import Model
from factory.declarations import LazyAttribute, LazyFunction, Sequence, SubFactory
from factory.django import DjangoModelFactory, Password

from catalog.models import (
    Category,
    EventType,
    Import,
    ImportRejection,
    Impression,
    Interaction,
    Partner,
    PartnerKey,
    Product,
    QualityReport,
    Scope,
    Shopper,
    User,
)
from catalog.services import SHOP_PARTNER
from explanations.contract import FORMAT
from explanations.models import Explanation
from recommendations.models import (
    ArtifactChunk,
    ModelVersion,
    Placement,
    Run,
    Shard,
    Slate,
    Snapshot,
    TrainingEpoch,
)

NOON = datetime(2011, 12, 1, 12, tzinfo=UTC)
PASSWORD = "correct horse battery"
SECRET = "bc_secret-of-the-tests"

T = TypeVar("T", bound=Model)


class ModelFactory(DjangoModelFactory[T]):
    """Typed: calling a factory gives the model, which the package itself does not tell mypy."""

    class Meta:
        abstract = True

    def __new__(cls, **kwargs: Any) -> T:  # type: ignore[misc]
        return cls.create(**kwargs)  # never reached: the metaclass answers the call


class UserFactory(ModelFactory[User]):
    class Meta:
        model = User
        skip_postgeneration_save = True

    username = Sequence(lambda n: f"user{n}")
    email = LazyAttribute(lambda user: f"{user.username}@example.org")
    password = Password(PASSWORD)  # hashed


class StaffFactory(UserFactory):
    username = Sequence(lambda n: f"staff{n}")
    is_staff = True
    is_superuser = True


class PartnerFactory(ModelFactory[Partner]):
    class Meta:
        model = Partner
        django_get_or_create = ("slug",)

    name = LazyAttribute(lambda partner: partner.slug.title())
    slug = Sequence(lambda n: f"partner-{n}")


class ShopPartnerFactory(PartnerFactory):
    slug = SHOP_PARTNER  # type: ignore[assignment]


class PartnerKeyFactory(ModelFactory[PartnerKey]):
    """Give `secret` to know what the partner sends."""

    class Meta:
        model = PartnerKey

    class Params:
        secret = SECRET

    partner = SubFactory(PartnerFactory)
    name = "tests"
    prefix = Sequence(lambda n: f"bc{n:06}")
    digest = LazyAttribute(lambda key: hashlib.sha256(key.secret.encode()).hexdigest())
    scopes: ClassVar[list[str]] = [scope.value for scope in Scope]


class ShopperFactory(ModelFactory[Shopper]):
    """`user=SubFactory(UserFactory)` or `SignedInShopperFactory` for one who can sign in."""

    class Meta:
        model = Shopper

    partner = SubFactory(ShopPartnerFactory)
    external_id = Sequence(lambda n: f"{12346 + n}")


class SignedInShopperFactory(ShopperFactory):
    user = SubFactory(UserFactory)


class CategoryFactory(ModelFactory[Category]):
    class Meta:
        model = Category
        django_get_or_create = ("path",)

    path = Sequence(lambda n: f"group-{n}")
    name_en = LazyAttribute(lambda category: category.path.rpartition("/")[2].replace("-", " ").capitalize())
    name_zh_hans = "厨房用品"
    glyph = "cup"
    hue = 170


class ProductFactory(ModelFactory[Product]):
    class Meta:
        model = Product

    external_id = Sequence(lambda n: f"{20000 + n}")
    title = Sequence(lambda n: f"Vintage tin set {n}")
    category = SubFactory(CategoryFactory)
    price = Decimal("4.95")
    currency = "GBP"
    launched_at = NOON - timedelta(days=300)


# What every shop starts with. Tests with transactions of their own flush it away, so factories make it again.
EVENT_TYPES: dict[str, tuple[str, str, float, int, bool]] = {
    code: values for code, *values in import_module("catalog.migrations.0002_event_types").EVENT_TYPES
}


class EventTypeFactory(ModelFactory[EventType]):
    """Finds those that every shop starts with."""

    class Meta:
        model = EventType
        django_get_or_create = ("code",)

    code = "purchase"
    verb_en = LazyAttribute(lambda row: _event_type(row.code)[0])
    verb_zh_hans = LazyAttribute(lambda row: _event_type(row.code)[1])
    strength = LazyAttribute(lambda row: _event_type(row.code)[2])
    polarity = LazyAttribute(lambda row: _event_type(row.code)[3])
    is_target = LazyAttribute(lambda row: _event_type(row.code)[4])


def _event_type(code: str) -> tuple[str, str, float, int, bool]:
    return EVENT_TYPES.get(code, EVENT_TYPES["purchase"])


class InteractionFactory(ModelFactory[Interaction]):
    class Meta:
        model = Interaction

    shopper = SubFactory(ShopperFactory)
    partner = LazyAttribute(lambda row: row.shopper.partner if row.shopper else ShopPartnerFactory())
    event_id = LazyFunction(lambda: uuid.uuid4().hex)
    product = SubFactory(ProductFactory)
    event_type = SubFactory(EventTypeFactory)
    occurred_at = NOON - timedelta(days=30)
    quantity = 1
    unit_price = Decimal("4.95")
    currency = "GBP"


class ImpressionFactory(ModelFactory[Impression]):
    class Meta:
        model = Impression

    shopper = SubFactory(ShopperFactory)
    shown_date = NOON.date()
    product_ids = LazyFunction(lambda: [ProductFactory().pk])


class ImportFactory(ModelFactory[Import]):
    class Meta:
        model = Import

    partner = SubFactory(ShopPartnerFactory)
    kind = Import.Kind.INTERACTIONS
    state = Import.State.FINISHED
    filename = "interactions.csv"
    file_format = "csv"
    rows_read = 3
    rows_accepted = 2
    rows_rejected = 1
    rows_merged = 2
    finished_at = NOON


class ImportRejectionFactory(ModelFactory[ImportRejection]):
    class Meta:
        model = ImportRejection

    source = SubFactory(ImportFactory)
    row = Sequence(lambda n: n + 2)
    field = "occurred_at"
    value = "31/02/2011"
    code = "bad_time"
    remedy = "Write it like 2011-02-28T12:00:00Z."


class QualityReportFactory(ModelFactory[QualityReport]):
    class Meta:
        model = QualityReport

    cutoff_at = NOON
    rows_read = 1000
    rows_usable = 900
    rules: ClassVar[list[dict[str, Any]]] = [
        {"code": "duplicate", "count": 60, "samples": [], "because": ""},
        {"code": "bulk_buyer", "count": 0, "samples": [], "because": "no shopper buys more than the bound"},
    ]
    bounds: ClassVar[dict[str, Any]] = {}


class SnapshotFactory(ModelFactory[Snapshot]):
    class Meta:
        model = Snapshot

    cutoff_at = NOON
    validation_from = NOON - timedelta(days=60)
    test_from = NOON - timedelta(days=30)
    report = SubFactory(QualityReportFactory)
    counts: ClassVar[dict[str, int]] = {"shoppers": 500, "products": 200, "interactions": 9000}
    checksum = "0" * 64


class ModelVersionFactory(ModelFactory[ModelVersion]):
    """Trained, and passed the gate."""

    class Meta:
        model = ModelVersion

    snapshot = SubFactory(SnapshotFactory)
    state = ModelVersion.State.PASSED
    config: ClassVar[dict[str, Any]] = {"model": {"width": 64, "blocks": 1}}
    metrics: ClassVar[dict[str, Any]] = {"new": {"transformer": {"ndcg@10": 0.08}}}
    weights = Sequence(lambda n: f"weights-{n}")
    weights_checksum = "0" * 64
    started_at = NOON - timedelta(hours=2)
    finished_at = NOON - timedelta(hours=1)


class TrainingEpochFactory(ModelFactory[TrainingEpoch]):
    class Meta:
        model = TrainingEpoch

    version = SubFactory(ModelVersionFactory)
    number = Sequence(lambda n: n + 1)
    loss = 4.2
    validation_ndcg = 0.07
    seconds = 12.5


class ArtifactChunkFactory(ModelFactory[ArtifactChunk]):
    class Meta:
        model = ArtifactChunk

    name = Sequence(lambda n: f"weights-{n}")
    index = 0
    data = b"weights"
    checksum = LazyAttribute(lambda chunk: hashlib.sha256(chunk.data).hexdigest())


class RunFactory(ModelFactory[Run]):
    """Ready. The database refuses a live run without explained slates: give it some, then `worlds.publish`."""

    class Meta:
        model = Run

    version = SubFactory(ModelVersionFactory)
    state = Run.State.READY
    as_of = NOON
    ready_at = NOON


class ShardFactory(ModelFactory[Shard]):
    class Meta:
        model = Shard

    run = SubFactory(RunFactory, state=Run.State.COMPUTING, ready_at=None)
    number = Sequence(lambda n: n)
    kind = Shard.Kind.SHOPPERS
    first_id = 1
    last_id = 500


class SlateFactory(ModelFactory[Slate]):
    """Non-personal and unexplained unless told; `worlds.explained_slate` makes explained ones."""

    class Meta:
        model = Slate

    class Params:
        products = ()

    run = SubFactory(RunFactory)
    placement = Placement.HOME
    product_ids = LazyAttribute(lambda slate: [product.pk for product in slate.products])
    scores = LazyAttribute(lambda slate: [10.0 - rank for rank in range(len(slate.product_ids))])
    probabilities = LazyAttribute(lambda slate: [round(0.2 / (rank + 1), 4) for rank in range(len(slate.product_ids))])
    computed_at = NOON


class ExplanationFactory(ModelFactory[Explanation]):
    """Of an empty list of contracts; `worlds.explained_slate` packs real ones."""

    class Meta:
        model = Explanation

    slate = SubFactory(SlateFactory, explained_at=NOON)
    format = FORMAT
    contracts: ClassVar[dict[str, Any]] = {"provenance": [], "contracts": []}
    is_personal = False
    explained = LazyAttribute(lambda row: row.verified + row.fallback + row.withheld)
    verified = 0
    fallback = 0
    withheld = 0
    created_at = NOON
