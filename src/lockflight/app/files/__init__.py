"""From files to a release: what lies in a folder, what it is, and how it is packed. Imports nothing of `app`."""
