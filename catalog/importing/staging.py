"""The unlogged table that a file is copied into before anything of it is checked or merged."""

from collections.abc import Mapping, Sequence

from django.db import connection
from psycopg import sql

from catalog.importing.columns import Column
from catalog.importing.rows import Row

_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_BLOCK = 1_000  # rows for each call of the driver


class Staging:
    """The staged rows of one import (`table`) and the problems found in them (`problems`).

    Unlogged: half the writing, and a crash of the database only means that the file is read again.
    """

    def __init__(self, import_id: int, columns: Sequence[Column]) -> None:
        self.columns = columns
        self.table = sql.Identifier(f"catalog_import_{import_id}_rows")
        self.problems = sql.Identifier(f"catalog_import_{import_id}_problems")

    def create(self) -> None:
        """Start empty."""
        self.drop()
        with connection.cursor() as cursor:
            cursor.execute(
                sql.SQL(
                    "CREATE UNLOGGED TABLE {}"
                    " (row bigint NOT NULL, problem text NOT NULL, problem_value text NOT NULL, {})"
                ).format(
                    self.table,
                    sql.SQL(", ").join(
                        sql.SQL("{} text NOT NULL DEFAULT ''").format(sql.Identifier(column.name))
                        for column in self.columns
                    ),
                )
            )

    def drop(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("DROP TABLE IF EXISTS {}, {}").format(self.table, self.problems))

    def copy(self, rows: Sequence[Row], positions: Mapping[str, int]) -> None:
        """Append rows."""
        statement = sql.SQL("COPY {} (row, problem, problem_value, {}) FROM STDIN").format(
            self.table, sql.SQL(", ").join(map(sql.Identifier, positions))
        )
        order = list(positions.values())
        nothing = [""] * len(order)
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            for start in range(0, len(rows), _BLOCK):
                copy.write("".join([_line(row, order, nothing) for row in rows[start : start + _BLOCK]]))

    def index(self) -> None:
        """Rows lie in their order, so a BRIN index of a few pages finds any range of them."""
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("CREATE INDEX ON {} USING brin (row)").format(self.table))
            cursor.execute(sql.SQL("ANALYZE {}").format(self.table))

    def count(self) -> int:
        """How many rows are there; none where a crash of the database emptied or undid the table."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass(%s)", [self.table.as_string()])
            if cursor.fetchone()[0] is None:
                return 0
            cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(self.table))
            return int(cursor.fetchone()[0])

    def last_row(self) -> int:
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("SELECT coalesce(max(row), 0) FROM {}").format(self.table))
            return int(cursor.fetchone()[0])


def _line(row: Row, order: Sequence[int], nothing: Sequence[str]) -> str:
    """A row in COPY's text format."""
    values = nothing if row.problem else [row.values[position] for position in order]
    fields = [str(row.number), row.problem, row.value, *values]
    line = "\t".join(fields)
    if "\\" in line or "\n" in line or "\r" in line or line.count("\t") != len(fields) - 1:
        line = "\t".join([field.translate(_ESCAPES) for field in fields])
    return line + "\n"
