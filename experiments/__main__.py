"""`python -m experiments`, which is `shoal experiment`."""

import sys

from experiments.command_line import main
from experiments.interrupting import interrupt_on_sigterm

if __name__ == "__main__":
    interrupt_on_sigterm()
    sys.exit(main())
