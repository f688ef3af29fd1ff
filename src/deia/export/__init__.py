"""Sessions in the formats of other tools: timelines, traces and tables."""
