"""Silver built into Gold, and Gold asked in SQL."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local.gold import PublishedGold, query
from local.model import refresh_gold
from tests.fakes.folder_store import FolderStore

BUCKET = "olist-data-lake-gold"


AT = datetime(2026, 11, 2, 13, tzinfo=UTC)


class Gold:
    """A published Gold with what was built of it, asked in SQL."""

    def __init__(self, root: Path, published: PublishedGold, steps: list[tuple[int, int, str]]) -> None:
        self.root, self.published, self.steps = root, published, steps
        self.findings = {finding.test: finding.rows for finding in published.findings}

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return query(self.root, BUCKET, sql).rows

    def row(self, sql: str) -> tuple[Any, ...]:
        [row] = self.rows(sql)
        return row


def build(root: Path, work_dir: Path, files: Mapping[str, Sequence[Path]], name: str = "b1") -> Gold:
    steps: list[tuple[int, int, str]] = []
    published = refresh_gold(
        files, work_dir, FolderStore(root), BUCKET, name, AT, lambda *step: steps.append(step)
    )
    return Gold(root, published, steps)
