"""What published data must keep to: `rules`, on a folder as `published` reads it, record by record as `required`.

May import `ledger`, `grading` and what records refer to; nothing of the pages.
"""
