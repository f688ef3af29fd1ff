"""A disk that can be crashed after every operation: recorded once, then rebuilt as it would be found afterwards.

`docs/explanation/simulated-disk.md` says what it covers. `recording` puts a recorder behind `deia.system`; `disk` knows
what a disk holds after so many operations, and which of it a loss of power may leave; `world` lays such a state out as
real files; `scenes` are the runs that are recorded; `oracle` says what has to be found afterwards; `faults` makes
single operations fail.
"""
