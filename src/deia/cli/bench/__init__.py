"""`deia bench`: what a log call costs on this machine, beside one `write` for each event.

The short form of the benchmarks in the project's repository: the same event and the same write-through, fewer calls.
"""
