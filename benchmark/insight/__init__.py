"""Why transfer helps or not: how alike the domains are, by what a fixed network and plain statistics see of them.

`axis` and `curve` find a chromosome's medial axis. `domains`, `reference` and `features` read files (and torch, only when features are computed); `frechet`, `kernel`,
`adistance`, `cka`, `texture` and `resample` are functions of arrays; `similarity` puts them together, `schema` is the
form of its result, `render` and `picture` show it. May import data, stats, training, results and the board's pictures;
only the command line may import it.
"""
