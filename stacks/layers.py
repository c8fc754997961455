"""AWS's managed layer with pyarrow, numpy and boto3 for Lambda, pinned: another version is another pyarrow."""

from lakehouse.errors import SettingsError

PUBLISHER = "336392948345"
NAME = "AWSSDKPandas-Python313-Arm64"
# The numbers differ by region. `aws lambda get-layer-version-by-arn --arn …` shows whether one is there.
VERSIONS = {"us-east-1": 16, "ap-southeast-1": 16, "ca-central-1": 15}
# What the layer takes of the 250 MB that a function and its layers may hold together, unpacked.
UNPACKED_MB = 204


def pandas_layer_arn(region: str) -> str:
    """ARN of the pinned version in a region; SettingsError where none is pinned."""
    if region not in VERSIONS:
        raise SettingsError(
            f"no version of the layer {NAME} is pinned for {region}: look it up and add it to stacks/layers.py, "
            f"or take one of {', '.join(sorted(VERSIONS))}"
        )
    return f"arn:aws:lambda:{region}:{PUBLISHER}:layer:{NAME}:{VERSIONS[region]}"
