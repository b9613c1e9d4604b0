"""The language of templates: words, trees. Renders nothing."""
