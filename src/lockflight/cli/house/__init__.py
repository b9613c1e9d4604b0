"""Commands about the installation and its realms."""
