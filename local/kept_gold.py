"""What builds of Gold keep for the next one: current tables, facts and dimensions in a DuckDB file.

The file is a shortcut, never a record: without it, or when it does not fit, Gold is built in full from Silver.
"""

import logging
from dataclasses import dataclass
from pathlib import Path

import duckdb

from lakehouse.errors import LakeError
from local.dbt_build import DbtOutcome, models_digest
from local.gold import PublishedGold

log = logging.getLogger(__name__)

_FILE = "kept.duckdb"  # dbt/profiles.yml attaches it under this name
_NEXT = "kept.next.duckdb"


@dataclass(frozen=True)
class KeptGold:
    """The build that the file belongs to, as published, and which models made it."""

    published: PublishedGold
    models: str

    @property
    def silver(self) -> set[str]:
        """Keys of the Silver objects that are in it."""
        return {key for keys in self.published.silver.values() for key in keys}


def read_kept(work_dir: Path) -> KeptGold | None:
    """None when nothing is kept. A file that cannot be read is removed: it would only stop dbt."""
    (work_dir / _NEXT).unlink(missing_ok=True)
    path = work_dir / _FILE
    if not path.exists():
        return None
    try:
        with duckdb.connect(str(path)) as db:
            row = db.execute("select published, models from kept_build").fetchone()
        return KeptGold(PublishedGold.from_text(row[0]), row[1]) if row else None
    except duckdb.CatalogException:
        return None  # made by dbt, in a build that did not get far
    except (duckdb.Error, LakeError) as error:
        log.warning("%s is removed, as it cannot be read: %s", path, error)
        path.unlink()
        Path(f"{path}.wal").unlink(missing_ok=True)
        return None


def keep_increment(built: DbtOutcome, published: PublishedGold) -> None:
    """Adds what a build changed, in one transaction: all of it or nothing."""
    db = built.database
    db.execute("begin")
    try:
        add_increment(built)
        db.execute("update kept.kept_build set published = ?", [published.to_text()])
        db.execute("commit")
    except BaseException:
        db.execute("rollback")
        raise


def add_increment(built: DbtOutcome) -> None:
    """Replaces the touched units of every kept model by what they are now."""
    for model in built.models:
        if model.unit is not None:
            touched = f"select unit from {model.name}__touched"
            built.database.execute(f"delete from kept.{model.name} where {model.unit} in ({touched})")
            built.database.execute(f"insert into kept.{model.name} from {model.name}__after")


def keep_full(built: DbtOutcome, published: PublishedGold, work_dir: Path) -> None:
    """Replaces the file by one with the tables of a full build."""
    db = built.database
    target = str(work_dir / _NEXT).replace("'", "''")
    db.execute(f"attach '{target}' as next_kept")
    for model in built.models:
        if model.unit is not None:
            db.execute(f"create table next_kept.{model.name} as from {model.name}")
    db.execute("create table next_kept.kept_build (published text, models text)")
    db.execute("insert into next_kept.kept_build values (?, ?)", [published.to_text(), models_digest()])
    db.execute("detach next_kept")
    db.execute("detach kept")
    (work_dir / _NEXT).replace(work_dir / _FILE)
