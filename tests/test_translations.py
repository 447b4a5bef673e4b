"""The Chinese catalogue is whole, compiled, and set as Chinese is set."""

import re
import shutil
import subprocess

import polib
import pytest

from tests.update_translations import CATALOGUE, ROOT, WIDTH, collect

REMEDY = "Remedy: python -m tests.update_translations, then translate what it names."
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]|\{\w*\}")
HAN = "\u4e00-\u9fff"
CROWDED = re.compile(rf"[{HAN}][A-Za-z0-9]|[A-Za-z0-9][{HAN}]")
HALF_WIDTH = re.compile(rf"[{HAN}][,;:?!]|[,;?!][{HAN}]|[{HAN}]\.(?![\w.])")
FIGURES = re.compile(r"%\((?:count|rank|without|times|more|version|run|number|candidates)\)s")


def entries() -> list[polib.POEntry]:
    return list(polib.pofile(str(CATALOGUE), wrapwidth=WIDTH))


def texts(entry: polib.POEntry | polib.MOEntry) -> list[str]:
    return list(entry.msgstr_plural.values()) if entry.msgid_plural else [entry.msgstr]


def test_every_string_is_translated_and_none_is_guessed() -> None:
    assert [entry.msgid for entry in entries() if entry.fuzzy or not all(texts(entry))] == [], REMEDY


def test_translations_keep_the_placeholders() -> None:
    for entry in entries():
        wanted = sorted(PLACEHOLDER.findall(entry.msgid_plural or entry.msgid))
        for text in texts(entry):
            assert sorted(PLACEHOLDER.findall(text)) == wanted, entry.msgid


def test_chinese_is_set_with_full_width_signs_and_room_around_latin() -> None:
    for entry in entries():
        for text in texts(entry):
            shown = FIGURES.sub("9", text)
            plain = PLACEHOLDER.sub("，", shown)  # the others are Chinese, or stand inside signs of their own
            assert not CROWDED.search(plain), text
            assert not HALF_WIDTH.search(plain), text


def test_the_compiled_catalogue_is_that_of_the_source() -> None:
    compiled = {(entry.msgctxt, entry.msgid): texts(entry) for entry in polib.mofile(str(CATALOGUE.with_suffix(".mo")))}

    assert compiled == {(entry.msgctxt, entry.msgid): texts(entry) for entry in entries()}, REMEDY


def test_the_catalogue_holds_every_marked_string(tmp_path_factory: pytest.TempPathFactory) -> None:
    if shutil.which("xgettext") is None:
        pytest.skip("no gettext here: new strings are NOT looked for. Remedy: apt-get install gettext")
    copy = tmp_path_factory.mktemp("marked")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        source = ROOT / name
        if source.suffix in {".py", ".html", ".txt", ".po"} and not name.startswith("tests/") and source.exists():
            target = copy / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)

    found = copy / CATALOGUE.relative_to(ROOT)
    found.unlink()
    collect(copy)

    marked = {(entry.msgctxt, entry.msgid) for entry in polib.pofile(str(found))}
    assert marked == {(entry.msgctxt, entry.msgid) for entry in entries()}, REMEDY
