"""The README is always true: its tables, its examples and its commands are compared with the code."""

import json
import re
import shlex
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class
from django.test import Client

from catalog.importing import services
from catalog.importing.columns import INTERACTIONS, PRODUCTS, markdown
from catalog.models import Import, Interaction, Product, Scope
from catalog.services import issue_key, shop_partner
from config.demo import accounts
from config.demo.programs import WORKERS
from explanations.services import SHOWN
from recommendations.ml.config import SIZES
from tests.benchmarks.explanations.report import short_table

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
SETTINGS = (ROOT / "config" / "settings.py").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_the_table_of_variables_lists_those_that_the_settings_read() -> None:
    read = set(re.findall(r'env\.(?:str|int|bool|list|float|json)\(\s*"(\w+)"', SETTINGS))
    read |= set(re.findall(r'"(\w+)" (?:not )?in env\.ENVIRON', SETTINGS))
    table = README.partition("| variable | default |")[2].partition("\n\n")[0]

    listed = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)

    assert sorted(listed) == sorted(read)


def test_the_tables_of_columns_are_those_of_the_imports() -> None:
    assert markdown(PRODUCTS) in README
    assert markdown(INTERACTIONS) in README


@pytest.mark.django_db
def test_the_example_files_are_imported_without_a_rejection(tmp_path: Path) -> None:
    products, interactions = (text for language, text in BLOCKS if language == "csv")
    for kind, text in ((Import.Kind.PRODUCTS, products), (Import.Kind.INTERACTIONS, interactions)):
        file = tmp_path / f"{kind}.csv"
        file.write_text(text)
        services.run_import(kind=kind, partner=shop_partner(), source=file, is_strict=True)

    assert list(Product.objects.order_by("pk").values_list("external_id", flat=True)) == ["85048", "22423"]
    assert Interaction.objects.filter(occurred_at=datetime(2009, 12, 1, 7, 45, tzinfo=UTC)).count() == 2


@pytest.mark.django_db
def test_the_examples_of_the_api_are_answered(client: Client) -> None:
    script = next(text for language, text in BLOCKS if language == "sh" and "\ncurl" in text)
    scopes = [Scope(scope) for scope in re.findall(r"--scope (\S+)", README)]
    _, key = issue_key(partner=shop_partner(), name="README", scopes=scopes)

    answers = []
    for call in re.split(r"^curl ", script, flags=re.MULTILINE)[1:]:
        words = shlex.split(call)
        method = words[words.index("-X") + 1] if "-X" in words else "GET"
        path = next(word for word in words if word.startswith("$SHOP")).replace("$SHOP", "/api/v1")
        body = words[words.index("-d") + 1] if "-d" in words else ""
        headers = {"Authorization": f"Bearer {key}"}
        answer = client.generic(method, path, body, content_type="application/json", headers=headers)
        answers.append((answer.status_code, answer.json()))

    assert [status for status, _ in answers] == [200, 200, 200]
    assert answers[0][1]["created"] == 1
    assert answers[1][1]["accepted"] == 1


def test_every_command_and_option_exists() -> None:
    known = get_commands()
    lines = "\n".join(text for language, text in BLOCKS if language == "sh").replace("\\\n", " ").splitlines()
    used = [match.split() for line in lines for match in re.findall(r"manage\.py ([^#]+)", line)]
    used += [match.split() for match in re.findall(r"`(?:\S*python )?manage\.py ([^`]+)`", README)]

    assert {words[0] for words in used} >= {"migrate", "import_products", "train", "precompute", "publish", "rollback"}
    for name, *words in used:
        assert name in known, name
        offered = _options(name)
        assert {word for word in words if word.startswith("--")} <= offered, name
    import_options = set(re.findall(r"^\|.*`(--[a-z-]+)", README.partition("| option | |")[2], re.MULTILINE))
    assert import_options <= _options("import_products")
    assert {"--publish", "--config", "--inline"} <= _options("train")
    assert "revoke_partner_key" in known


def _options(name: str) -> set[str]:
    app = get_commands()[name]
    command = load_command_class(app, name) if isinstance(app, str) else app
    parser = command.create_parser("manage.py", name)
    return {option for action in parser._actions for option in action.option_strings}


def test_the_make_targets_and_their_switches_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()

    assert set(re.findall(r"^make (\w+)", README, re.MULTILINE)) == {"demo", "test"}
    for target in set(re.findall(r"make (\w+)", README)):
        assert f"\n{target}:" in makefile
    for switch in set(re.findall(r"`make demo (\w+)=", README)):
        assert f"$({switch})" in makefile


def test_the_workers_serve_the_queues_that_the_demo_serves() -> None:
    for name, (queues, processes, options) in WORKERS.items():
        command = " ".join(["-n", f"{name}@%h", "-Q", queues, "--concurrency", str(processes), *options])
        assert f"celery -A config.celery worker {command}`" in README


def test_accounts_scopes_sizes_and_limits_are_those_of_the_code() -> None:
    for username in (accounts.STAFF, accounts.NEWCOMER, *(persona.username for persona in accounts.PERSONAS)):
        assert f"| `{username}` |" in README
    assert set(re.findall(r"--scope (\S+)", README)) <= set(Scope.values)
    assert f"The first {SHOWN} products" in README
    histories = [SIZES[size].history for size in ("small", "base", "large")]
    assert "{} lines of a history (`small`), {} (`base`) or {} (`large`)".format(*histories) in README


def test_the_comparison_of_methods_is_that_of_the_result_files() -> None:
    results = ROOT / "tests" / "benchmarks" / "explanations" / "results"
    found = {name: json.loads((results / f"{name}.json").read_text()) for name in ("demo", "beauty")}

    assert short_table(found) in README


def test_its_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)]+)\)", README)

    assert [link for link in links if not link.startswith("https://") and not (ROOT / link).exists()] == []


def test_the_package_shows_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert project["readme"] == "README.md"
