"""The conversation as people read it: a Markdown file that is a view over the journal, and kept while it grows."""
