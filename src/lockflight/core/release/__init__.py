"""What a release is: assets, roles, data, the manifest."""
