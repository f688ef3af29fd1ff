"""The journal: the JSONL file that is the truth about a session."""
