"""The report, live in a browser: of one session or of all in a directory, on the loopback address, and only to read."""
