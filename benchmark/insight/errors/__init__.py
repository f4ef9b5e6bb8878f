"""Which chromosomes are missed, by whom, with what they are confused, in which images, and whether the label is right.

`sets`, `confusions`, `conditions` and `labels` are functions of arrays; `planted` checks the search for wrong labels;
`report` puts them together, `schema` is the form of the result, `render` and `picture` show it, and `gallery` shows the
images, in the workspace only. May import what `benchmark.insight` may.
"""
