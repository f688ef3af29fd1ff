"""Sessions as they go on, seen from another process: what is new, which sessions there are, and what they are at.

Only the journal and its queue file are looked at; the process that records knows nothing of it, and waits for nothing.
"""
