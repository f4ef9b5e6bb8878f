"""Why transfer helps or not: how alike the domains are, by what a fixed network and plain statistics see of them.

`axis` and `curve` find a chromosome's medial axis, `trained` loads a finished unit's network, `outputs` reads predictions.
`domains`, `reference` and `features` read files (and torch, only when features are computed); `frechet`, `kernel`,
`adistance`, `cka`, `texture`, `resample`, `estimate` and `difference` are functions of arrays; `similarity` puts them together, `schema` is the
form of its result, `render` and `picture` show it. `attention`, `errors`, `karyotype`, `quality`, `leakage` and `sweep` answer a question each;
`kept` holds reports of all of them in a ledger. May import data, stats, training, results and the board's pictures; the
board may import `kept`, the command line anything.
"""
