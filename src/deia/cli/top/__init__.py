"""`deia top`: what all sessions of a directory are at."""
