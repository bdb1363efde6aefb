"""Run the command line as ``python -m tonearm``."""

import sys

from tonearm.commands import main

if __name__ == "__main__":
    sys.exit(main())
