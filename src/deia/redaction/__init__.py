"""Keep secrets out of what is recorded: what is one, where one may be, and what stands in its place."""
