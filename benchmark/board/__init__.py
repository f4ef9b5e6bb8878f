"""The public page, built from a ledger and nothing else.

`build` makes the pages, `charts` the pictures. May import `results`, `ledger`, Jinja2 and
matplotlib; never torch, datasets or submissions.
"""
