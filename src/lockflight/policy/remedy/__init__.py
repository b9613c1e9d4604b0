"""The smallest change of judged facts with which a failed rule passes, found by asking the policy itself.

Nouns: edit, reach, goal, remedy. Nothing here guesses: what is offered was evaluated. No engine is started here.
"""
