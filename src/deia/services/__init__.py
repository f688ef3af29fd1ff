"""The loggers."""
