"""Renders templates with conversations whose words are unknown, and sees whether what they say depends on the words.

Nouns: a value (known, or a `Sym` that stands for whatever a message holds), a talk (a made-up conversation), a choice
(what is decided about unknown words), a run (what one rendering says). May import `formats` and `core` only.
"""
