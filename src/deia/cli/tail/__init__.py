"""`deia tail`: the last events of sessions, and what comes then."""
