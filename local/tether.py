"""``python local/tether.py PARENT -- command …``: run a command that ends when the process PARENT ends.

On Linux the kernel sends SIGTERM when the parent is gone, and this process becomes the command. Elsewhere this process
stays, watches its parent, and ends the command.
"""

import ctypes
import os
import platform
import signal
import subprocess
import sys
import time

_SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of <linux/prctl.h>
_WATCH_S = 0.5
_GRACE_S = 5.0
_ORPHAN = 71


def main(arguments: list[str]) -> int:
    """Become the command, or run it and return how it ended; 71 when the parent is gone already."""
    parent, command = int(arguments[0]), arguments[2:]
    if platform.system() == "Linux":
        ctypes.CDLL(None, use_errno=True).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)
        # The parent may have ended before the line above.
        if os.getppid() != parent:
            return _ORPHAN
        os.execvp(command[0], command)  # noqa: S606 - the supervisor's own command line
    return _watch(parent, command)


def _watch(parent: int, command: list[str]) -> int:
    child = subprocess.Popen(command)  # noqa: S603 - the supervisor's own command line
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while child.poll() is None:
        if os.getppid() != parent:
            child.terminate()
            try:
                return child.wait(_GRACE_S)
            except subprocess.TimeoutExpired:
                child.kill()
        time.sleep(_WATCH_S)
    return child.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
