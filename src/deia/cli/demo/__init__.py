"""`deia demo`: a real piece of work, recorded, killed half way, continued, and looked at."""
