"""Transcripts of Claude Code: one line per prompt, answer and tool result, in a format that is documented nowhere.

What is known of it was read from transcripts. A record may lack whatever it usually has.
"""
