"""What sets the buckets apart: what each holds, what it announces, how long things stay."""

from dataclasses import dataclass

from stacks.settings import Settings

_ANSWERS_DAYS = 14  # an answer of Athena can be asked for again
_ARTIFACT_DAYS = 90  # hosts and MWAA roll back to what was deployed before within a quarter


@dataclass(frozen=True)
class BucketSpec:
    """What sets a bucket apart. All of them: private, encrypted, TLS only, leftovers of uploads removed."""

    holds: str
    announces: bool = False  # new objects, to EventBridge
    undo_days: int = 0  # 0: not versioned
    cold_after_days: int = 0  # 0: stays as it is
    expires_after_days: int = 0  # 0: never


def specs(settings: Settings) -> dict[str, BucketSpec]:
    """Every bucket but that of the access logs, by layer."""
    days = settings.storage
    undo = days.undo_days
    return {
        "landing": BucketSpec(
            "Files as they were delivered, until they are loaded",
            announces=True,
            expires_after_days=days.landing_days,
        ),
        "bronze": BucketSpec(
            "Every record as it came; objects are written once and never change",
            announces=True,
            undo_days=undo,
            cold_after_days=days.cold_after_days,
        ),
        "silver": BucketSpec("Rows that passed every rule, with real types", undo_days=undo),
        "quarantine": BucketSpec(
            "Rows that did not pass, with all reasons", undo_days=undo, cold_after_days=days.cold_after_days
        ),
        "gold": BucketSpec("Marts and insights, published as a whole", undo_days=undo),
        "artifacts": BucketSpec("What hosts and MWAA install", undo_days=_ARTIFACT_DAYS),
        "athena-results": BucketSpec(
            "Answers of Athena, a prefix per workgroup", expires_after_days=_ANSWERS_DAYS
        ),
    }
