# Aliases for those who type make; everything is in dev.py.
.PHONY: setup demo test lint docs bench lock build
setup demo test lint docs bench lock build:
	@python3 dev.py $@
