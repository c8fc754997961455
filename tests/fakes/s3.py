"""S3 clients that misbehave in one way each."""

from typing import Any

from botocore.exceptions import ClientError


class S3ThatConflicts:
    """Answers 409 to the first `times` conditional writes, as real S3 does while a rival write is under way."""

    def __init__(self, client: Any, times: int) -> None:
        self._client, self.conflicts_left, self.calls = client, times, 0

    def put_object(self, **arguments: Any) -> Any:
        """A conditional write."""
        self.calls += 1
        if self.conflicts_left:
            self.conflicts_left -= 1
            arguments["Body"] if isinstance(arguments["Body"], bytes) else arguments["Body"].read()
            answer = {
                "Error": {"Code": "ConditionalRequestConflict", "Message": "made up"},
                "ResponseMetadata": {"HTTPStatusCode": 409},
            }
            raise ClientError(answer, "PutObject")
        return self._client.put_object(**arguments)
