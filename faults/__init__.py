"""Histories of work and faults, drawn from a seed, run by real processes, judged by an auditor that trusts nobody."""

from faults.settings import fork_without_grpc

fork_without_grpc()
