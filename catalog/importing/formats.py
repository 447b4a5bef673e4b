"""Opens a file as what it is."""

import codecs
import gzip
import shutil
import tempfile
from pathlib import PurePath
from typing import BinaryIO, cast

from catalog.importing.csv_rows import CsvSource
from catalog.importing.parquet_rows import ParquetSource
from catalog.importing.rows import Source, Unreadable

CSV, PARQUET = "csv", "parquet"
FORMATS = (CSV, PARQUET)


def guess_format(filename: str) -> str:
    """From the name's ending; a file without one that is known is taken to be CSV."""
    return PARQUET if PurePath(filename).suffix.lower() in {".parquet", ".pq"} else CSV


def open_rows(file: BinaryIO, *, file_format: str, filename: str, encoding: str, delimiter: str) -> Source:
    """The rows of an open file. Raises Unreadable."""
    if file_format not in FORMATS:
        raise Unreadable(f'"{file_format}" is no known format. There are: {", ".join(FORMATS)}.')
    _check_encoding(encoding)
    if filename.lower().endswith(".gz"):
        file = cast(BinaryIO, gzip.GzipFile(fileobj=file))
    if file_format == CSV:
        return CsvSource(file, encoding=encoding, delimiter=delimiter)
    if not file.seekable():  # a Parquet file is read from its end
        on_disk = tempfile.TemporaryFile()  # noqa: SIM115  it lives as long as the source
        shutil.copyfileobj(file, on_disk)
        on_disk.seek(0)
        file = cast(BinaryIO, on_disk)
    return ParquetSource(file)


def _check_encoding(name: str) -> None:
    """Raises Unreadable unless line ends and separators are the bytes they are in ASCII: lines are split as bytes."""
    try:
        codecs.lookup(name)
        is_like_ascii = '\n,;\t|"'.encode(name) == b'\n,;\t|"'
    except (LookupError, UnicodeError):
        is_like_ascii = False
    if not is_like_ascii:
        raise Unreadable(f'Files cannot be read as "{name}". Save the file as UTF-8.')
