"""Whether bad images explain failures: what is measured of each crop, which are flagged, and what scores say without them.

`measures` (one crop), `kept` (a dataset, held in the workspace), `defects` and `validation` (planted truth), `flags` (the rule),
`effect` (scores with and without); `report` puts them together, `schema` is its form, `render` and `picture` show it.
"""
