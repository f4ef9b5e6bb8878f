"""Words for people on a host of repositories: a comment under a pull request, an issue.

Speaks to GitHub's API, or to whatever `GITHUB_API_URL` names. Runs no submitted code and reads what other jobs left as
untrusted text. May import `proposal.report`, `files` and `errors`, and nothing heavy.
"""
