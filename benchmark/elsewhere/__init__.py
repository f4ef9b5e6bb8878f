"""Scores of models that were trained elsewhere: their predictions read, checked, scored, kept and shown apart as *self-run*.

`given` reads a file, `matching` holds it against a manifest, `figures` and `against` compute, `store` keeps beside the ledger.
May import `scoring`, `results`, `stats` and `ledger`; never torch, and nothing of the board.
"""
