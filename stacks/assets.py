"""Finds what `make assets` built: packages of Lambda functions, and what hosts install."""

from dataclasses import dataclass
from pathlib import Path

from aws_cdk import aws_lambda as lambda_

from lakehouse.errors import InputError

BUILT = Path(__file__).parents[1] / "build" / "assets"


@dataclass(frozen=True)
class Assets:
    """A folder of built assets. The bytes of a file depend on its content alone, so they name it in AWS."""

    folder: Path = BUILT

    def function(self, package: str) -> lambda_.Code:
        """Code of the function of a package in `lambdas/`; InputError when it is not built."""
        return lambda_.Code.from_asset(str(self.file(f"{package}.zip")))

    def file(self, name: str) -> Path:
        """A built file; InputError when it is not there."""
        path = self.folder / name
        if not path.is_file():
            raise InputError(f"{path} is not built: run `make assets`")
        return path
