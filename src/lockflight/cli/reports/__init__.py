"""Decisions for readers outside of a terminal: a page, and the report formats of CI systems.

Nouns: report, problem. Pure: a record in, text out; may import `lockflight.app` and below.
"""
