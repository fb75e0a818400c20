"""What a search minimises: multiplications under a rule."""
