"""Learning to order: the elimination game, a graph network, tree search, training, and a trained agent.

Nothing of it is imported with elimax. Playing with the trained agent (``order="agent"``) needs no extra; training needs
``elimax[agent]``.
"""
