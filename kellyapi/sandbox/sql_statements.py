"""The process of the users' SQL: it runs one statement at a time, with an authorizer and limits.

Everything that a statement may use is in a list: tables of the schema, functions, and one pragma. `sql_process` is the
side of the server, which ends this process if a statement does not end.
"""

from __future__ import annotations

import json
import math
import re
import sqlite3
from contextlib import suppress
from functools import cache
from typing import Any

from .engines.errors import BadInput

try:
    import resource
except ImportError:
    resource = None  # type: ignore[assignment]  # not on Windows

MAX_ROWS = 100_000
MAX_RESULT = 16 * 2**20
"""Bytes of a result as JSON."""
_STEPS_PER_CHECK = 1_000_000
_MAX_CHECKS = 30
"""A statement is stopped after this many times `_STEPS_PER_CHECK` steps of SQLite's virtual machine: about 0.5 s."""
_MAX_HEAP = 128 * 2**20
_MAX_ADDRESS_SPACE = 512 * 2**20
_MAX_FILE = 2**30
_PAGE = 4096
_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: 10_000_000,  # bytes of one value
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 1_000_000,
    sqlite3.SQLITE_LIMIT_COLUMN: 256,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 500,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 100,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 1000,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
_TABLE_ACTIONS = {sqlite3.SQLITE_INSERT, sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE}
_TABLES_OF_SQLITE = {"sqlite_master", "sqlite_schema", "json_each", "json_tree"}
# https://www.sqlite.org/lang_corefunc.html and the pages beside it, without those that load code, take pointers, write
# to a log or read the structure of files.
_FUNCTIONS = frozenset(
    """
    abs changes char coalesce concat concat_ws format glob hex if ifnull iif instr last_insert_rowid length like
    likelihood likely lower ltrim max min nullif octet_length printf quote random randomblob replace round rtrim sign
    soundex substr substring total_changes trim typeof unhex unicode unistr unistr_quote unlikely upper zeroblob
    acos acosh asin asinh atan atan2 atanh ceil ceiling cos cosh degrees exp floor ln log log10 log2 mod pi pow power
    radians sin sinh sqrt tan tanh trunc
    current_date current_time current_timestamp date datetime julianday strftime time timediff unixepoch
    avg count group_concat median percentile percentile_cont percentile_disc string_agg sum total
    cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank rank row_number
    -> ->> json json_array json_array_length json_error_position json_extract json_group_array json_group_object
    json_insert json_object json_patch json_pretty json_quote json_remove json_replace json_set json_type json_valid
    jsonb jsonb_array jsonb_extract jsonb_group_array jsonb_group_object jsonb_insert jsonb_object jsonb_patch
    jsonb_remove jsonb_replace jsonb_set
    bm25 highlight match snippet
    """.split()  # noqa: SIM905  130 quoted strings are harder to read
)
_REFUSED = "Only SELECT, INSERT, UPDATE and DELETE are allowed: the schema is not changed here"
# Strings, quoted names, comments and plain names come first, so that a parameter is found only where SQLite sees one.
_NAMED_PARAMETER = re.compile(
    r"""'[^']*+'?|"[^"]*+"?|`[^`]*+`?|\[[^]]*+]?|--[^\n]*+|/\*(?s:.*?)(?:\*/|\Z)|\w[\w$]*+|(?P<named>[:@$#]\w[\w$]*+)"""
)


class _Authorizer:
    """Decides what a statement may use. `refusal` is the reason for the first thing that is not allowed."""

    def __init__(self, tables: set[str], modules: set[str]) -> None:
        self._tables = tables
        self._modules = modules
        self.on = False
        self.refusal: str | None = None

    def __call__(self, action: int, name: str | None, second: str | None, *_: str | None) -> int:
        if self.on and self.refusal is None:
            self.refusal = self._refuse(action, (name or "").lower(), (second or "").lower())
        return sqlite3.SQLITE_OK if self.refusal is None else sqlite3.SQLITE_DENY

    def _refuse(self, action: int, name: str, second: str) -> str | None:
        if action == sqlite3.SQLITE_FUNCTION:
            return None if second in _FUNCTIONS else f"The function {second} is not allowed here"
        if action == sqlite3.SQLITE_READ and not second:  # for a count the name may be that of a WITH clause
            allowed = name not in self._modules and not name.startswith("pragma_")
        elif action == sqlite3.SQLITE_READ or action in _TABLE_ACTIONS:
            allowed = name in self._tables
        elif action == sqlite3.SQLITE_PRAGMA:
            allowed = name == "data_version" and not second  # read by FTS5 tables, which a schema may create
        else:
            allowed = action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE)
        return None if allowed else _REFUSED


def open_file(path: str, synchronous: str) -> None:
    """Open the file, so that the time of it is not that of the first statement."""
    _open(path, synchronous)


def run(path: str, synchronous: str, sql: str, params: list[Any], most: int = MAX_RESULT) -> tuple[str, int]:
    """Run a statement, and return its rows as a JSON array of at most `most` bytes, and their number.

    Raises:
        BadInput: If SQLite refuses the statement, or it is not allowed or exceeds a limit. It has changed nothing then.
    """
    if any(match["named"] for match in _NAMED_PARAMETER.finditer(sql)):
        raise BadInput("sql", "Parameters with names are not supported: write ? and give params in order")
    db, authorizer = _open(path, synchronous)
    checks = iter(range(_MAX_CHECKS))
    try:
        db.execute("BEGIN")
        db.set_progress_handler(lambda: next(checks, None) is None, _STEPS_PER_CHECK)
        authorizer.on, authorizer.refusal = True, None
        rows = _read_rows(db.execute(sql, params), most)
        authorizer.on = False
        db.execute("COMMIT")
    except MemoryError:
        raise BadInput("sql", f"The statement takes more than {_MAX_HEAP >> 20} MiB of memory") from None
    except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError) as error:
        problem = str(error)
        if problem == "interrupted":  # by the handler
            problem = "interrupted: the statement takes too long"
        if problem.endswith("within a transaction"):  # BEGIN and VACUUM, which the authorizer does not see in time
            problem = _REFUSED
        raise BadInput("sql", authorizer.refusal or problem) from None
    finally:
        authorizer.on, authorizer.refusal = False, None
        db.set_progress_handler(None, 0)
        if db.in_transaction:
            with suppress(sqlite3.Error):  # what cannot be rolled back now is rolled back when the file is next opened
                db.execute("ROLLBACK")
    return f"[{','.join(rows)}]", len(rows)


@cache
def _open(path: str, synchronous: str) -> tuple[sqlite3.Connection, _Authorizer]:
    if resource:
        _, most = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (_MAX_ADDRESS_SPACE, most))
    # Without a cache: what was prepared for this process itself would pass the authorizer.
    db = sqlite3.connect(path, timeout=1, isolation_level=None, cached_statements=0)
    for setting in (
        f"hard_heap_limit = {_MAX_HEAP}",
        "journal_mode = WAL",
        f"synchronous = {synchronous}",
        "temp_store = MEMORY",  # so that the limit of memory is also that of sorting
        f"max_page_count = {_MAX_FILE // _PAGE}",
        "trusted_schema = OFF",
    ):
        db.execute(f"PRAGMA {setting}").fetchall()
    for limit, value in _LIMITS.items():
        db.setlimit(limit, value)
    db.text_factory = lambda data: data.decode(errors="replace")
    tables = {name.lower() for (name,) in db.execute("SELECT name FROM sqlite_master")} - {"_sandbox_schema"}
    modules = {name.lower() for (name,) in db.execute("PRAGMA module_list")} | {"_sandbox_schema"}
    tables |= _TABLES_OF_SQLITE
    authorizer = _Authorizer(tables, modules - tables)
    db.set_authorizer(authorizer)
    return db, authorizer


def _read_rows(cursor: sqlite3.Cursor, most: int) -> list[str]:
    """Read the rows of a statement, each as a JSON object."""
    rows: list[str] = []
    size = 0
    for row in cursor:
        # A blob becomes an array, which is longer than its bytes are: its size is checked before it is made.
        size += sum(2 * len(value) for value in row if isinstance(value, bytes))
        if size <= most:
            names = (column[0] for column in cursor.description)
            rows.append(json.dumps(dict(zip(names, map(_to_json, row), strict=True))))
            size += len(rows[-1])
        if size > most:
            raise ValueError(f"The result has more than {most >> 20} MiB")
        if len(rows) > MAX_ROWS:
            raise ValueError(f"The result has more than {MAX_ROWS} rows")
    cursor.close()
    return rows


def _to_json(value: Any) -> Any:
    """Convert a blob to an array of its bytes, and a float that JSON does not have to null."""
    if isinstance(value, bytes):
        return list(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value
