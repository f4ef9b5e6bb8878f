"""How a run is getting on: a small file that the head of the run replaces again and again, and who reads it.

`model` is the file, `tracker` writes it, `reading` finds it and tells a head that lives from one that is dead. May
import `forecast`, `plan` and files; nothing of training, sandboxes or the ledger.
"""
