"""Tables and pictures of graphs and plans."""
