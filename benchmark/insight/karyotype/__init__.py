"""A whole cell read at once: two of each autosome, XX or XY, beside the reading of each image for itself.

`assign` is the constraint, a function of arrays; `compare` measures what it gains from the ledger's predictions;
`schema` is the form of the result, `render` and `picture` show it. May import what `benchmark.insight` may.
"""
