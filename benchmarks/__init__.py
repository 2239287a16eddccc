"""Figures that a third party can rerun: ratios inside one run, never single times."""
