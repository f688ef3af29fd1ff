"""Deia, the flight recorder for AI agents."""
