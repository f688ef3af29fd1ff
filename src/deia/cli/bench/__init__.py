"""`deia bench`: what a log call costs on this machine, beside what one would otherwise use.

The short form of `python -m benchmarks peers` in the project's repository: the same event, the same recorders (they
stand in `recorders/`), fewer calls.
"""
