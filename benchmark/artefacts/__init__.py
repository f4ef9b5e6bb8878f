"""The artefact store: what units left, by content, on any address that every node of a cluster can reach.

Knows bytes, hashes and small documents; nothing of training, engines or scores. Not the datasets of a
workspace: those are in `benchmark.data.store`.
"""

from benchmark.artefacts.documents import Claim, Document
from benchmark.artefacts.lease import Leases
from benchmark.artefacts.store import Artefacts

__all__ = ["Artefacts", "Claim", "Document", "Leases"]
