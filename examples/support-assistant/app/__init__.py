"""The support assistant of Corrow, an invented maker of bicycle locks.

Nouns: passage (a section of the knowledge base), draft (what the model wrote), answer (what is shown, with citations).
"""
