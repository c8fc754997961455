"""Glue clients that misbehave in one way each."""

from typing import Any

from botocore.exceptions import ClientError


class GlueThatDenies:
    """Answers every call with an error that says nothing about whether the schema exists."""

    def __init__(self, code: str) -> None:
        self._answer = {
            "Error": {"Code": code, "Message": "made up"},
            "ResponseMetadata": {"HTTPStatusCode": 400},
        }

    def __getattr__(self, operation: str) -> Any:
        def call(**_: Any) -> Any:
            raise ClientError(self._answer, operation)

        return call


class GlueThatFindsVersionsIncompatible:
    """A real registry's client, but every new version ends in FAILURE, as Glue does in the background."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, operation: str) -> Any:
        return getattr(self._client, operation)

    def get_schema_version(self, **arguments: Any) -> Any:
        """A version that failed its check."""
        return {**self._client.get_schema_version(**arguments), "Status": "FAILURE"}
