"""Local partials of JAX operations, one family of primitives per file, and the graph built from them."""
