"""Running units on other machines: all that a node needs is the artefact store's address and the hash of a kit.

A head packs a kit (`kit`), nodes unpack it and run units (`node`, called as `execute`), and the head turns what they
left in the store into records (`collect`). Only a head has a ledger.
"""

from benchmark.remote.collect import Collector
from benchmark.remote.kit import Kit, pack
from benchmark.remote.node import execute

__all__ = ["Collector", "Kit", "execute", "pack"]
