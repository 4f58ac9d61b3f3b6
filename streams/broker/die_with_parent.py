"""Run a command that Linux ends when the process that started it ends, however it ends.

Run as a script, by path, so that it starts in milliseconds:
`python die_with_parent.py PARENT_PID SIGNAL_NUMBER COMMAND ...`
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask the kernel for the signal, then become the command (the setting outlives exec)."""
    parent, signal_number, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:
        sys.exit("the parent ended before the broker began")
    os.execv(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main()
