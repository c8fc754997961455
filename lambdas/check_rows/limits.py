"""How much of the machine an object may ask for. What is known from its figures is judged before it is decoded."""

from dataclasses import dataclass

_MIB = 2**20


@dataclass(frozen=True)
class Limits:
    """Those of the first part decide verdicts, so they are the release's and no setting; the others only ways.

    `whole_bytes` is a deployment's choice (`NEXUS_WHOLE_OBJECT_BYTES`): memory against requests.

    An object that exceeds one of the first is held whole with the reason RESOURCE. One that exceeds `suspicious_bytes`
    or `suspicious_ratio` is read in a child process, within `child_bytes` and `child_cpu_s`.
    """

    # A sink flushes at 128 MiB; 5 GiB is the most that S3 takes in one PUT.
    object_bytes: int = 5 * 2**30
    # 100 row groups of 25 columns have 0.6 MB; a megabyte takes the pre-flight a second.
    footer_bytes: int = 4 * _MIB
    # Real tables have hundreds; every column costs an output column of its own in each row group.
    columns: int = 1000
    # Bronze is flat: a list or a struct in an unexpected column is 3 deep.
    depth: int = 8
    row_groups: int = 10_000
    rows: int = 100_000_000
    # Pages are about a megabyte, and each costs the pre-flight 30 microseconds.
    pages: int = 100_000
    # The bytes of a row group, as they are, are held whole while it is read; writers end one at 128 MiB or earlier.
    row_group_bytes: int = 192 * _MIB
    # Unpacked, of a row group and of an object: text shrinks to a tenth at best, so this is five sinks' flushes.
    row_group_unpacked: int = 2048 * _MIB
    object_unpacked: int = 32 * 2**30

    # 100,000 rows of orders unpack to 25 MB: ten times that is no row group of ours.
    suspicious_bytes: int = 256 * _MIB
    # Of compression and repetition together: the widest dictionary of the Olist files reaches 40.
    suspicious_ratio: int = 200
    # What a child may have besides Python and Arrow themselves.
    child_bytes: int = 768 * _MIB
    # A row costs 1.5 microseconds, so this is 40 million rows, or a loop without an end.
    child_cpu_s: int = 60
    # Objects up to here are read in one piece: a range costs a round trip of its own.
    whole_bytes: int = 32 * _MIB
    # Rows that are decoded and checked at once, and the most that a row group of an output has.
    batch_rows: int = 131_072


LIMITS = Limits()
