"""The domain: contracts, rules, wire codec, lake paths, event ids and balance arithmetic.

Pure: no I/O but its own package data, no clock, no environment, no AWS.
"""
