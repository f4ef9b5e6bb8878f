"""What a random split flatters: scores on the same images with cells or people on both sides, and on one side.

`splits` finds in a ledger what may be compared and refuses what may not; `report` puts
them together; `schema` is the form of the result, `render` and `picture` show it. May import what `benchmark.insight` may.
"""
