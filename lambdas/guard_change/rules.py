"""What may not change at once. A thing (a topic, a connector) has sides (partitions, configuration), each a text."""

from collections.abc import Collection, Mapping

Things = Mapping[str, Mapping[str, str]]


def refusals(before: Things, after: Things, grow_only: Collection[str]) -> list[str]:
    """Why AWS would not make `after` of `before`, in order of names; empty when it would.

    One update changes one side of a thing. Sides named in `grow_only` are whole numbers that never get less. Things
    that come or go are none of this module's business.
    """
    found = []
    for name in sorted(before.keys() & after.keys()):
        old, new = before[name], after[name]
        changed = sorted(side for side in old.keys() & new.keys() if old[side] != new[side])
        found += [
            f"{side} of {name} cannot go from {old[side]} to {new[side]}: they only grow"
            for side in changed
            if side in grow_only and int(new[side]) < int(old[side])
        ]
        if len(changed) > 1:
            found.append(
                f"{' and '.join(changed)} of {name} cannot change in one deployment: deploy {changed[0]} first"
            )
    return found
