"""The asynchronous core: sessions, and the background loop that writes what they queued."""
