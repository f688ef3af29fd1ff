"""The crash-proof queue: a memory-mapped window over the journal's unwritten tail."""
