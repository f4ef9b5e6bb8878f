"""The pages of the board: one frame for all, and a module for each, with `files` giving paths and contents.

Templates and static files lie beside this folder. May import the board's `model` and `plain`, `wording`,
`protocol` and Jinja2; never a ledger.
"""
