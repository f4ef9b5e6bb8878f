"""The command `karyobench`: one file a noun, parsing and printing only.

Modules here import nothing heavy at the top, so that `--help` is quick; errors of the package
become one line and an exit code in `benchmark.cli.main`.
"""
