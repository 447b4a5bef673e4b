"""Files from strangers: read back what was written, and nothing else; never run, never half believed."""

import io
import json
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recommendations.ml.tensor_files import Damaged, Floats, NotSuchAFile, TensorFile, read, write

ARRAYS: dict[str, Floats] = {
    "b": np.arange(6, dtype=np.float32).reshape(2, 3),
    "a": np.asarray([0.5], np.float32),
    "one": np.asarray(7, np.float32),
}
SAID = {"format": 1, "names": ["茶杯", "cup"]}


def written() -> bytes:
    file = io.BytesIO()
    write(file, ARRAYS, SAID)
    return file.getvalue()


def made(header: object, data: bytes = b"") -> io.BytesIO:
    text = json.dumps(header).encode()
    return io.BytesIO(len(text).to_bytes(8, "little") + text + data)


def is_as_written(found: TensorFile) -> bool:
    return found.description == SAID and all(
        found.arrays[name].shape == ARRAYS[name].shape and np.array_equal(found.arrays[name], ARRAYS[name])
        for name in ARRAYS
    )


def test_what_was_written_is_read_and_equal_contents_are_equal_bytes() -> None:
    assert is_as_written(read(io.BytesIO(written())))
    assert written() == written()


@given(st.data())
def test_a_byte_that_was_altered_or_an_end_that_is_missing_is_noticed(data: st.DataObject) -> None:
    whole = bytearray(written())
    place = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        whole = whole[:place]
    else:
        whole[place] ^= data.draw(st.integers(1, 255))

    try:
        found = read(io.BytesIO(whole))
    except (Damaged, NotSuchAFile):
        return
    assert is_as_written(found)  # a blank in the header became another blank


class Hostile:
    """What would run if somebody unpickled it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("it was unpickled",))


@pytest.mark.parametrize("other", [b"", b"hello", b"{}" * 40, pickle.dumps(Hostile()), bytes(100)])
def test_what_is_something_else_is_no_such_file_and_is_not_run(other: bytes) -> None:
    with pytest.raises((NotSuchAFile, Damaged)):
        read(io.BytesIO(other))


def test_a_file_of_torch_is_no_such_file() -> None:
    file = io.BytesIO()
    torch.save({"weights": torch.ones(3), "more": Hostile()}, file)

    with pytest.raises(NotSuchAFile):
        read(file)


def entry(shape: object, start: object, end: object, dtype: object = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


@pytest.mark.parametrize(
    ("entries", "data", "problem"),
    [
        ({"a": entry([2], 0, 8)}, b"1234", "its end is missing, or something stands behind it"),
        ({"a": entry([2], 0, 8)}, b"123456789", "its end is missing, or something stands behind it"),
        ({"a": entry([1], 0, 4, "I32")}, b"1234", "of the type I32, not F32"),
        ({"a": entry([1], 0, 4)}, b"1234", "do not match its checksum"),
    ],
)
def test_a_file_that_was_altered_is_damaged(entries: dict[str, object], data: bytes, problem: str) -> None:
    with pytest.raises(Damaged, match=problem):
        read(made({"__metadata__": {"because": '{"description": {}, "sha256": "0"}'}, **entries}, data))


@pytest.mark.parametrize(
    "entries",
    [
        {"a": entry([1], 0, 4), "b": entry([1], 0, 4)},
        {"a": entry([10**30], 0, 4)},
        {"a": entry([2**62, 4], 0, 4)},
        {"a": entry([-1], 0, 4)},
        {"a": entry([True], 0, 4)},
        {"a": entry("1", 0, 4)},
        {"a": [1]},
    ],
)
def test_a_header_that_lies_makes_nothing_large(entries: dict[str, object]) -> None:
    with pytest.raises((NotSuchAFile, Damaged)):
        read(made({"__metadata__": {"because": '{"description": {}, "sha256": "0"}'}, **entries}, b"1234"))


@pytest.mark.parametrize(
    "said",
    [
        "{x}",
        "[1]",
        "{}",
        '{"description": [], "sha256": "0"}',
        '{"description": {"a": "\\ud800"}, "sha256": "0"}',
        "[" * 100_000,
        "NaN",
    ],
)
def test_a_description_that_cannot_be_read_is_told(said: str) -> None:
    with pytest.raises(Damaged, match="its description"):
        read(made({"__metadata__": {"because": said}, "a": entry([1], 0, 4)}, b"1234"))


def test_a_file_of_safetensors_that_is_no_version_is_no_such_file() -> None:
    for header in ({"a": entry([1], 0, 4)}, {"__metadata__": {"format": "pt"}, "a": entry([1], 0, 4)}):
        with pytest.raises(NotSuchAFile):
            read(made(header, b"1234"))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_told(value: float) -> None:
    file = io.BytesIO()
    write(file, {"a": np.asarray([1, value], np.float32)}, SAID)

    with pytest.raises(Damaged, match="a holds what is no number"):
        read(file)
