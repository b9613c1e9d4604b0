"""`python -m lockflight`."""

import sys

from lockflight.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
