"""The board as data: JSON with its schema, CSV, Parquet, Markdown, an Atom feed and Croissant metadata.

`bundle.files` gives all of them. May import the board's `model` and `plain`, and the libraries of the formats.
"""
