"""`python -m benchmark` is `karyobench`."""

from benchmark.cli.main import main

main()
