"""What several test files share: reading a journal strictly, other processes, a writer that can be held, odd data."""
