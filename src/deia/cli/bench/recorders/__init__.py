"""The recorders: one face for each way of recording an event, so that all are measured by the same loops.

`face.py` says what a recorder is, `catalogue.py` which there are; each of the other modules holds one family of them.
What a recorder needs is imported when it is made, so all can be named where few are installed.
"""
