"""The command line: ``python -m mlp_c``."""

import sys

from mlp_c._cli.main import main

if __name__ == "__main__":
    sys.exit(main())
