"""Translate a column of a CSV file: python examples/translate_csv.py in.csv out.csv --column text --to tw

The key comes from the environment: KHAYA_API_KEY. With KELLYAPI_SANDBOX=1 none is needed. What is paid for is written
at once to out.csv.progress, and a run that was broken off, or in which rows failed, goes on when it is started again.
"""

from __future__ import annotations

import argparse
import asyncio
import codecs
import csv
import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from kellyapi import KellyAPI, KellyAPIError

MOST_FAILURES = 10  # in a row, after which the other rows are not tried: they would fail too


class Done:
    """What has been translated, in a file that survives the program: no text is paid for twice."""

    def __init__(self, path: Path, pair: str) -> None:
        self.path, self.pair = path, pair
        self.base = sqlite3.connect(path, isolation_level=None)
        # A row takes 30 µs so, in place of 8 ms in which the loop stands still. The end of the program loses none.
        self.base.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")
        self.base.execute("CREATE TABLE IF NOT EXISTS done (pair, text, translation, PRIMARY KEY (pair, text))")

    def get(self, text: str) -> str | None:
        found = self.base.execute("SELECT translation FROM done WHERE pair = ? AND text = ?", (self.pair, text))
        return next((translation for (translation,) in found), None if text.strip() else "")

    def put(self, text: str, translation: str) -> None:
        self.base.execute("INSERT OR REPLACE INTO done VALUES (?, ?, ?)", (self.pair, text, translation))


def read(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Give the rows one by one, each with the line on which it begins; one cell may have several lines."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader, line = csv.reader(file, strict=True), 1
        try:
            for row in reader:
                if row:
                    yield line, row
                line = reader.line_num + 1
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(f"{path}, line {line}: {error}") from None


def check(path: Path, column: str, new: str) -> tuple[int, int]:
    """Give the place of the column and the number of rows, or say what is wrong before anything is paid for."""
    rows = read(path)
    _, header = next(rows, (1, []))
    if column not in header:
        raise ValueError(f"{path} has no column {column!r}; its columns are {', '.join(header) or 'none'}")
    if new in header:
        raise ValueError(f"{path} has a column {new!r} already")
    total = 0
    for line, row in rows:
        total += 1
        if len(row) != len(header):
            raise ValueError(f"{path}, line {line}: there are {len(row)} cells for {len(header)} columns")
    return header.index(column), total


async def translate(options: argparse.Namespace, place: int, total: int, done: Done) -> None:
    """Translate what is not done yet, several rows at once. After Ctrl-C only what is under way comes to its end."""
    stop, failures = False, 0

    def left() -> Iterator[tuple[int, str]]:
        rows = read(options.input)
        next(rows)  # the header
        for line, row in rows:
            if stop:
                return
            if done.get(row[place]) is None:
                yield line, row[place]
            else:
                progress.advance(bar)

    async def work() -> None:
        nonlocal stop, failures
        for line, text in todo:  # the workers share it, so each row goes to one of them
            try:
                translation = await api.translate(text, source=options.source, target=options.to, split=True)
                done.put(text, translation.text)
                failures = 0
            except KellyAPIError as error:
                progress.console.print(f"line {line}: {error}", markup=False, highlight=False, soft_wrap=True)
                failures += 1
                stop = stop or failures == MOST_FAILURES
            progress.advance(bar)

    todo, columns = left(), (*Progress.get_default_columns(), MofNCompleteColumn())
    async with KellyAPI.sandbox() if os.environ.get("KELLYAPI_SANDBOX") else KellyAPI() as api:
        with Progress(*columns, console=Console(stderr=True)) as progress:
            bar = progress.add_task("translating", total=total)
            workers = asyncio.gather(*(work() for _ in range(options.workers)))
            try:
                await asyncio.shield(workers)
            except asyncio.CancelledError:
                stop = True
                progress.console.print("Waiting for the rows that are under way; Ctrl-C again does not.")
                await workers


def write(options: argparse.Namespace, place: int, new: str, done: Done) -> int:
    """Write the rows with their translations, in their order, and give the number of those that have none yet."""
    missing, part = 0, options.output.with_name(f"{options.output.name}.part")
    with options.input.open("rb") as file:
        encoding = "utf-8-sig" if file.read(3) == codecs.BOM_UTF8 else "utf-8"
    with part.open("w", encoding=encoding, newline="") as file:
        writer, rows = csv.writer(file), read(options.input)
        writer.writerow([*next(rows)[1], new])
        for _, row in rows:
            translation = done.get(row[place])
            missing += translation is None
            writer.writerow([*row, translation])
    part.replace(options.output)
    return missing


def main() -> None:
    parser = argparse.ArgumentParser(description="Translate a column of a CSV file.")
    parser.add_argument("input", type=Path)
    parser.add_argument("output", type=Path, help="the same rows with a column more")
    parser.add_argument("--column", required=True, help="the name of the column")
    parser.add_argument("--from", dest="source", default="en", help="the language of the column; en by default")
    parser.add_argument("--to", required=True, help="the language that you want, such as tw")
    parser.add_argument("--workers", type=int, choices=range(1, 33), default=4, metavar="1…32", help="rows at once")
    options = parser.parse_args()
    kept, new = options.output.with_name(f"{options.output.name}.progress"), f"{options.column}_{options.to}"
    try:
        if options.output.exists() and not kept.exists():
            raise ValueError(f"{options.output} exists already")
        place, total = check(options.input, options.column, new)
        done = Done(kept, f"{options.source}-{options.to}")
    except (OSError, ValueError, sqlite3.Error) as error:
        parser.error(str(error))
    with closing(done.base):
        with suppress(KeyboardInterrupt):
            asyncio.run(translate(options, place, total, done))
        missing = write(options, place, new, done)
    if missing:
        sys.exit(f"{missing} of {total} rows have no translation yet. The same command goes on with them.")
    kept.unlink()


if __name__ == "__main__":
    main()
