"""
The fault matrix: every fault at every point of a stream, over real HTTP.

``python -m tests.matrix`` runs all cases and prints the matrix as a table;
``--write`` writes docs/explanation/fault-matrix.md from the oracle.
"""
