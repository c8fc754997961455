"""Who signs in to the ledger, always by tokens of AWS, and whether they write."""

from collections.abc import Mapping

# Lambda functions have the name of their package. `lambdas/migrate_ledger/roles.py` says what the kinds may do.
USERS: Mapping[str, str] = {
    "check_rows": "write",
    "sweep_bronze": "write",
    "requeue_quarantine": "write",
    "airflow": "write",
    "canary": "read",
    "auditor": "read",
}


def known(user: str) -> str:
    """The user; ValueError for one that no deployment makes."""
    if user not in USERS:
        raise ValueError(f"{user} is no user of the ledger: add it to USERS in stacks/ledger_users.py")
    return user
