"""The footer of a Silver or Quarantine file: all that the ledger knows of its revision, so that it can be rebuilt."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Self

from lakehouse.balance import Amount
from lakehouse.bronze import BronzeMetadata
from lakehouse.errors import LakeError

_PREFIX = "nexus."


@dataclass(frozen=True)
class OutputFooter:
    """The same in both files of a revision. `quarantine_key` is empty when no such file was written.

    `reasons` and `warnings` count rows by rule, `extras` those with a value in a column that the contract does not
    know, by column. `follows` is the committed revision this one stands on: None for a
    check, which judges all rows; a replay judges only those that the revision before it held.
    """

    bronze: BronzeMetadata
    bronze_etag: str
    bronze_size: int
    revision: int
    contract_version: str
    rules_hash: str
    silver_key: str
    silver: Amount
    quarantine_key: str
    quarantine: Amount
    reasons: Mapping[str, int]
    warnings: Mapping[str, int]
    follows: int | None = None
    extras: Mapping[str, int] = field(default_factory=dict)

    def to_parquet(self) -> dict[str, str]:
        """Key-value metadata: plain facts one by one for people and tools, the rest as JSON."""
        plain = {
            "bronze_key": str(self.bronze.key),
            "bronze_etag": self.bronze_etag,
            "bronze_size": str(self.bronze_size),
            "revision": str(self.revision),
            "contract_version": self.contract_version,
            "rules_hash": self.rules_hash,
            "silver_key": self.silver_key,
            "silver_rows": str(self.silver.rows),
            "silver_hash_sum": str(self.silver.hash_sum),
            "quarantine_key": self.quarantine_key,
            "quarantine_rows": str(self.quarantine.rows),
            "quarantine_hash_sum": str(self.quarantine.hash_sum),
            "reasons": json.dumps(dict(self.reasons), sort_keys=True),
            "warnings": json.dumps(dict(self.warnings), sort_keys=True),
            "extras": json.dumps(dict(self.extras), sort_keys=True),
            "follows": "" if self.follows is None else str(self.follows),
            "bronze_metadata": json.dumps(asdict(self.bronze), sort_keys=True),
        }
        return {_PREFIX + name: value for name, value in plain.items()}

    @classmethod
    def from_parquet(cls, metadata: Mapping[bytes, bytes] | None) -> Self:
        """What `to_parquet` gave; LakeError when the file was not written by the check hop."""
        try:
            found = {
                k.decode(): v.decode() for k, v in (metadata or {}).items() if k.startswith(_PREFIX.encode())
            }
            facts = {name.removeprefix(_PREFIX): value for name, value in found.items()}
            return cls(
                bronze=BronzeMetadata(**json.loads(facts["bronze_metadata"])),
                bronze_etag=facts["bronze_etag"],
                bronze_size=int(facts["bronze_size"]),
                revision=int(facts["revision"]),
                contract_version=facts["contract_version"],
                rules_hash=facts["rules_hash"],
                silver_key=facts["silver_key"],
                silver=Amount(int(facts["silver_rows"]), int(facts["silver_hash_sum"])),
                quarantine_key=facts["quarantine_key"],
                quarantine=Amount(int(facts["quarantine_rows"]), int(facts["quarantine_hash_sum"])),
                reasons=json.loads(facts["reasons"]),
                warnings=json.loads(facts["warnings"]),
                extras=json.loads(facts.get("extras", "{}")),
                follows=int(facts["follows"]) if facts.get("follows") else None,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise LakeError(
                f"the file has no footer of the check hop ({error!r}): was it written by it?"
            ) from error
