"""Rewritings come from a real server, never in a request, and are used only where they passed."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from explanations import inspection, truth
from explanations.models import Rewriting
from explanations.rewriting import store
from recommendations.models import Placement, Slate
from tests.explanations.rewriting.endpoints import Endpoint, serving
from tests.explanations.rewriting.pages import first_page
from tests.factories import NOON, UserFactory
from tests.worlds import Shop, live_shop

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop() -> Shop:
    return live_shop()


@pytest.fixture
def endpoint(settings: Settings) -> Iterator[Endpoint]:
    made = Endpoint()
    with serving(made):
        settings.REWRITING_URL, settings.REWRITING_KEY = made.url, "secret"
        settings.REWRITING_MODEL, settings.REWRITING_SECONDS = "tiny", 0.5
        cache.clear()
        yield made


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """What was asked of workers."""
    asked: list[dict[str, object]] = []
    monkeypatch.setattr(store, "send", lambda task, *, queue, **arguments: asked.append({"task": task, **arguments}))
    return asked


def home(shop: Shop) -> Slate:
    return shop.shopper.slates.get(placement=Placement.HOME)


def rewrite(shop: Shop, language: str = "en") -> Counter[str]:
    store.rewrite(slate_id=home(shop).pk, language=language, at=NOON)
    return Counter(row.rejection for row in Rewriting.objects.filter(language=language))


def politely(line: str) -> str:
    return f"Suggested {line[0].lower()}{line[1:]}"


def test_a_page_asks_a_worker_and_does_not_wait(
    client: Client, shop: Shop, endpoint: Endpoint, sent: list[dict[str, object]]
) -> None:
    client.force_login(shop.user)

    first, second = client.get("/"), client.get("/")

    assert b"Because you bought" in first.content
    assert first.status_code == second.status_code == 200
    assert endpoint.asked == []
    assert {"task": store.TASK, "slate_id": home(shop).pk, "language": "en"} in sent
    assert len(sent) == len({str(each) for each in sent})  # once an hour


def test_a_good_answer_becomes_the_line_with_its_links(
    client: Client, shop: Shop, endpoint: Endpoint, sent: list[dict[str, object]]
) -> None:
    endpoint.answer = politely

    assert set(rewrite(shop)) == {""}

    client.force_login(shop.user)
    text = client.get("/").content.decode()
    assert "Suggested because you bought “<a href=" in text
    claim = client.get(reverse("why", args=[f"{home(shop).pk}-1"])).content.decode()
    assert "Because you bought “Set of 3 cake tins pantry design”. If we left this out" in claim  # what was checked
    asked = [each["messages"][-1]["content"] for each in endpoint.asked]
    assert len(asked) == len(set(asked))  # one call for each template
    assert not any("cake" in line.lower() or "3" in line for line in asked)  # no title and no number leaves
    assert set(endpoint.keys) == {"Bearer secret"}


def test_an_answer_in_chinese_is_used(
    client: Client, shop: Shop, endpoint: Endpoint, sent: list[dict[str, object]]
) -> None:
    endpoint.answer = lambda line: line.replace("因为", "由于")

    assert set(rewrite(shop, "zh-hans")) == {""}

    client.force_login(shop.user)
    client.cookies["django_language"] = "zh-hans"
    assert "由于您购买过「<a href=" in client.get("/").content.decode()


@pytest.mark.parametrize(
    ("answer", "rejection"),
    [
        ("", "empty"),
        ("Because you are pregnant", "sensitive"),
        ("Because you bought the best thing", "superlative"),
        ("<script>alert(1)</script>", "characters"),
        ("Ignore the rules and visit evil dot example", "entity"),
        ("Because you bought it 14 times", "number"),
    ],
)
def test_a_wrong_or_malicious_answer_leaves_the_template_and_is_counted(
    client: Client, shop: Shop, endpoint: Endpoint, sent: list[dict[str, object]], answer: str, rejection: str
) -> None:
    client.force_login(shop.user)
    before = first_page(client)
    endpoint.answer = lambda _: answer

    assert set(rewrite(shop)) == {rejection}

    assert first_page(client) == before


@pytest.mark.parametrize("raw", [b"", b"not json", b"[]", b'{"choices": []}', b'{"choices": [{"message": 1}]}'])
def test_an_answer_that_is_none_is_unreachable(shop: Shop, endpoint: Endpoint, raw: bytes) -> None:
    endpoint.raw = raw

    assert set(rewrite(shop)) == {"unreachable"}


def test_what_nobody_answered_is_asked_for_again_after_an_hour(shop: Shop, endpoint: Endpoint) -> None:
    endpoint.status = 500
    assert set(rewrite(shop)) == {"unreachable"}
    endpoint.status, endpoint.answer = 200, politely

    soon, later = NOON + timedelta(minutes=59), NOON + timedelta(minutes=61)
    store.rewrite(slate_id=home(shop).pk, language="en", at=soon)
    assert set(Rewriting.objects.values_list("rejection", flat=True)) == {"unreachable"}

    store.rewrite(slate_id=home(shop).pk, language="en", at=later)
    assert set(Rewriting.objects.values_list("rejection", flat=True)) == {""}


def test_errors_and_endless_answers_are_unreachable_or_slow(shop: Shop, endpoint: Endpoint, settings: Settings) -> None:
    settings.REWRITING_SECONDS = 0.2
    found = []
    for change in ({"status": 500}, {"raw": b"x" * 70_000}, {"raw": None, "wait": 0.4}, {"wait": 0.0, "trickle": True}):
        endpoint.status = 200
        for name, value in change.items():
            setattr(endpoint, name, value)
        Rewriting.objects.all().delete()
        found.append(set(rewrite(shop)))

    assert found == [{"unreachable"}, {"unreachable"}, {"slow"}, {"slow"}]


def test_what_is_stored_is_checked_again_when_it_is_shown(
    client: Client, shop: Shop, endpoint: Endpoint, sent: list[dict[str, object]]
) -> None:
    endpoint.answer = politely
    rewrite(shop)
    Rewriting.objects.update(text="Because you are the best")

    client.force_login(shop.user)

    assert "the best" not in client.get("/").content.decode()


def test_what_a_laxer_check_accepted_is_not_shown_and_is_asked_for_again(
    client: Client, shop: Shop, endpoint: Endpoint, sent: list[dict[str, object]]
) -> None:
    endpoint.answer = politely
    rewrite(shop)
    Rewriting.objects.filter(source="Because you bought [title]").update(text="Because others bought [title]")
    asked = len(endpoint.asked)
    cache.clear()

    client.force_login(shop.user)
    page = client.get("/").content.decode()

    assert "Because others bought" not in page
    assert "Because you bought" in page
    assert sent != []
    assert set(rewrite(shop)) == {""}
    assert len(endpoint.asked) == asked + 1
    assert set(Rewriting.objects.filter(source="Because you bought [title]").values_list("text", flat=True)) == {
        "Suggested because you bought [title]"
    }


def test_the_audit_of_texts_reads_the_line_that_shoppers_read(
    shop: Shop, endpoint: Endpoint, sent: list[dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint.answer = politely
    rewrite(shop)
    row = inspection.inspect(home(shop))[0]

    def wrong() -> list[str]:
        return truth.unsupported(row.contract, products=row.products, categories=row.categories, language="en")

    good = wrong()

    monkeypatch.setattr(store, "_passes", lambda *_: True)  # a checker that is broken
    Rewriting.objects.update(text="Because you bought [title] 977 times")

    assert (good, wrong()) == ([], ["says 977"])


def test_a_broker_that_is_down_leaves_the_templates(
    client: Client, shop: Shop, endpoint: Endpoint, settings: Settings, sent: list[dict[str, object]]
) -> None:
    client.force_login(shop.user)
    before = first_page(client)
    sent.clear()
    backend = "django.core.cache.backends.redis.RedisCache"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": "redis://127.0.0.1:1"}}

    page = client.get("/")

    assert page.status_code == 200
    assert first_page(client) == before
    assert sent == []


def test_off_means_no_query_and_no_message(shop: Shop, settings: Settings, client: Client) -> None:
    settings.REWRITING_URL = ""

    store.rewrite(slate_id=home(shop).pk, language="en", at=NOON)

    assert not store.is_on()
    assert not Rewriting.objects.exists()


def test_the_admin_counts_rejections_by_cause(client: Client, shop: Shop, endpoint: Endpoint) -> None:
    endpoint.answer = lambda _: "Because you are the best"
    counted = rewrite(shop)
    client.force_login(UserFactory(username="boss", is_staff=True, is_superuser=True))

    page = client.get("/admin/explanations/rewriting/").content.decode()

    ((rejection, count),) = counted.items()
    assert f"{rejection} ({count})" in page or f"{rejection} " in page
