"""What the elimination of a vertex does to a graph and what it costs."""
