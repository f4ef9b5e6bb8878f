"""The board as pictures by matplotlib: SVG with real text in it, and the same as PNG.

`bundle.files` draws the charts of every track; `calibration` is for the documents. May import the board's
`model` and `stats`; no ledger.
"""
