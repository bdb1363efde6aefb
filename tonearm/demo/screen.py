"""What the demo shows: results on stdout, progress on stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from tonearm.replay.report import Report, describe_sum, print_findings, print_text
from tonearm.terminal import cell, console


class Screen:
    """A terminal, or a file that is read like one."""

    def __init__(self, stream: TextIO, program: str) -> None:
        """Take where to print, and how tonearm is called from there."""
        self.program = program
        self._stream = stream
        self._out = console(stream)
        self._talk = Console(stderr=True)

    def line(self, text: str = "", style: str = "") -> None:
        """Print one line."""
        self._out.print(cell(text, style), soft_wrap=True)

    def title(self, text: str) -> None:
        """Print what comes next, before it begins."""
        self.line(f"\n{text}", "bold")

    def command(self, words: str) -> None:
        """Print how a user does the same."""
        self.line(f"  by hand: {self.program} {words}", "dim")

    def report(self, report: Report) -> None:
        """Print a whole report."""
        print_text(report, self._stream)

    def divergence(self, report: Report, cause: str | None) -> None:
        """Print one divergence of a report, if there is any, and the sum.

        Args:
            report: What was found.
            cause: The comparison that names it is shown, rather than the decisive one.
        """
        for row in report.rows:
            if row.verdict.decisive is not None:
                named = (
                    comparison
                    for comparison in row.verdict.comparisons
                    if cause and any(finding.cause == cause for finding in comparison.findings)
                )
                print_findings(row.key, next(named, row.verdict.decisive), self.line)
                break
        self.line(describe_sum(report), "bold")

    @contextmanager
    def progress(self, what: str, total: int) -> Iterator[Callable[[], None]]:
        """Show a bar for the length of a block, and return what moves it on by one."""
        bar = Progress(
            TextColumn("  {task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            console=self._talk,
            disable=not self._talk.is_terminal,
            transient=True,
        )
        with bar:
            task = bar.add_task(what, total=total)
            yield lambda: bar.advance(task)
