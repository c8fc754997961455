"""The rule library: each kind of rule in one place, how a contract says it and how it is tested.

`kind` is what a kind is made of, `registry` knows them all; `docs/rules.md` says what each means.
"""
