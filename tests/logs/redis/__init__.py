"""Runs in a real Redis, read and written by real processes."""
