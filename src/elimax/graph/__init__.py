"""Graphs: types, building from a program, structural hash, files."""
