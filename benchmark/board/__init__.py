"""The public board, built from a ledger and nothing else.

`collect`, `detail` and `history` read the ledger into the data of `model` and `detail_model`; `pages`, `pictures` and
`exports` make files of those; `build` writes them; `publish` and `publishing` bring them to others; `policy` checks
what is published. May import `results`, `findings` and `ledger`, Jinja2, matplotlib and pyarrow; never torch.
"""
