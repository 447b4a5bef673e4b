"""A language model in a local folder rewords lines on the worker; what it says passes the same checker."""

import logging
from collections import Counter
from pathlib import Path

import pytest
from django.test import Client
from pytest_django import Settings

from config import diagnosis
from config.diagnosis import Level
from explanations.models import Rewriting
from explanations.rewriting import folder, store
from explanations.rewriting.checker import Refused, Rejection
from explanations.rewriting.sources import Source
from recommendations.models import Placement
from tests.explanations.rewriting.folders import babbling, saying
from tests.explanations.rewriting.pages import first_page
from tests.factories import NOON
from tests.worlds import Shop, live_shop

LINE = Source(language="en", text="Because you bought [title]", is_causal=True)


@pytest.fixture(autouse=True)
def off(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """No endpoint, and no worker that is sent anything."""
    settings.REWRITING_URL = ""
    monkeypatch.setattr(store, "send", lambda *_args, **_named: None)
    folder._loaded.cache_clear()


def rewrite(shop: Shop) -> Counter[str]:
    slate = shop.shopper.slates.get(placement=Placement.HOME)
    store.rewrite(slate_id=slate.pk, language="en", at=NOON)
    return Counter(Rewriting.objects.values_list("rejection", flat=True))


def line_of(client: Client, shop: Shop) -> str:
    client.force_login(shop.user)
    return first_page(client)


def test_what_a_model_of_random_weights_babbles_is_refused_and_counted_and_the_template_stands(
    db: None, client: Client, settings: Settings, tmp_path: Path
) -> None:
    shop = live_shop()
    before = line_of(client, shop)
    settings.REWRITING_FOLDER = str(babbling(tmp_path))

    rejections = rewrite(shop)

    assert rejections.total() >= 5
    assert rejections[""] == 0
    assert set(rejections) <= {rejection.value for rejection in Rejection} - {"unreachable", "slow"}
    assert line_of(client, shop) == before
    assert any(Rewriting.objects.values_list("answer", flat=True))  # for staff


def test_a_good_line_from_the_folder_is_used(db: None, client: Client, settings: Settings, tmp_path: Path) -> None:
    shop = live_shop()
    settings.REWRITING_FOLDER = str(saying(tmp_path, "Suggested because you bought [title]"))

    rejections = rewrite(shop)

    accepted = Rewriting.objects.filter(rejection="")
    assert {row.source for row in accepted} == {"Because you bought [title]"}
    assert rejections["lost"] > 0  # the same line for templates that name two things
    assert "Suggested because you bought “<a href=" in line_of(client, shop)


def test_the_same_question_has_the_same_answer_of_bounded_length(settings: Settings, tmp_path: Path) -> None:
    settings.REWRITING_FOLDER = str(babbling(tmp_path))

    first, again = folder.ask(LINE), folder.ask(LINE)

    assert first == again
    assert 0 < len(first.split()) <= folder.MOST_TOKENS


def test_a_model_that_chats_is_asked_in_its_own_form(settings: Settings, tmp_path: Path) -> None:
    settings.REWRITING_FOLDER = str(saying(tmp_path, "Because you bought [title]"))

    assert folder.ask(LINE) == "Because you bought [title]"


def test_an_answer_that_takes_too_long_is_slow(settings: Settings, tmp_path: Path) -> None:
    settings.REWRITING_FOLDER, settings.REWRITING_SECONDS = str(babbling(tmp_path)), 0.0

    with pytest.raises(Refused) as refused:
        folder.ask(LINE)

    assert refused.value.rejection is Rejection.SLOW


def test_a_prompt_that_the_model_cannot_hold_is_no_answer(settings: Settings, tmp_path: Path) -> None:
    settings.REWRITING_FOLDER = str(babbling(tmp_path, positions=8))

    with pytest.raises(Refused) as refused:
        folder.ask(LINE)

    assert refused.value.rejection is Rejection.UNREACHABLE


def test_a_folder_that_is_not_there_is_no_answer_and_the_log_says_what_mends_it(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings.REWRITING_FOLDER = str(tmp_path / "nothing")

    with caplog.at_level(logging.WARNING), pytest.raises(Refused) as refused:
        folder.ask(LINE)

    assert refused.value.rejection is Rejection.UNREACHABLE
    assert "names no folder" in caplog.text


def test_the_doctor_finds_what_is_missing(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def said(path: Path) -> tuple[Level, str]:
        settings.REWRITING_FOLDER = str(path)
        found = diagnosis.rewriting(NOON)
        return found.level, found.detail

    good = babbling(tmp_path / "good")
    pickled = tmp_path / "pickled"
    pickled.mkdir()
    (pickled / "config.json").write_text("{}")
    (pickled / "pytorch_model.bin").write_bytes(b"")

    assert said(good) == (Level.OK, f"by the model in {good}")
    assert said(tmp_path / "no") == (Level.ERROR, f"REWRITING_FOLDER names no folder: {tmp_path / 'no'}")
    lacking = f"REWRITING_FOLDER {pickled} lacks tokenizer.json, *.safetensors"
    assert said(pickled) == (Level.ERROR, lacking)
    monkeypatch.setattr(folder, "PACKAGE", "no_such_package")
    assert said(good) == (Level.ERROR, "REWRITING_FOLDER needs the package no_such_package")
    assert diagnosis.rewriting(NOON).remedy == "pip install '.[rewriting]'"


def test_off_and_an_endpoint_are_well(settings: Settings) -> None:
    settings.REWRITING_FOLDER = ""
    off = diagnosis.rewriting(NOON).detail
    settings.REWRITING_URL = "http://127.0.0.1:1/v1"

    assert (off, diagnosis.rewriting(NOON).detail) == ("off", "by http://127.0.0.1:1/v1")


def test_weights_that_are_broken_are_said_to_be(settings: Settings, tmp_path: Path) -> None:
    path = babbling(tmp_path)
    (path / "model.safetensors").write_bytes(b"not weights")

    with pytest.raises(folder.Unusable, match="cannot be loaded"):
        folder._loaded(str(path))
