"""The command line: a lazy table of commands, their arguments, and the rendering of results.

Nouns: command, run, reply. May import `lockflight.app` and below; holds no logic of its own.
"""
