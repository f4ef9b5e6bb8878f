"""A pull request that brings a submission: what it touches, whom it copies, whom its name resembles.

Reads a git repository by git's own commands and never executes what the pull request brings in this process:
networks are built in a process or a container of their own. May import anything of the package but `cli`.
"""
