"""What one setting of a track does: the same submission, protocol and images by tracks that differ in that alone.

`series` finds in a ledger what may be compared and names what may not; `report` puts scores and differences together; `schema` is the
form of the result, `render` and `picture` show it. May import what `benchmark.insight` may.
"""
