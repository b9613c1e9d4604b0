"""The realm at work: its folder, log, keys and settings, and what is written into it. Imports nothing of `app`."""
