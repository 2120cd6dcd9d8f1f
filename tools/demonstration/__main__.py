"""End-to-end demo against a local OpenBao. `tools/demo` has set up the programs."""

import argparse
import contextlib
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import steps
from output import Output, Unexpected
from server import Server


def main() -> int:
    """Gives the exit status."""
    parser = argparse.ArgumentParser(prog="tools/demo")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--step", action="store_true")
    arguments = parser.parse_args()
    end_tidily()
    leave_my_settings_alone()
    output = Output(pauses=arguments.step)
    scratch = Path(tempfile.mkdtemp(prefix="secrets-demo-"))
    with contextlib.ExitStack() as afterwards:
        afterwards.callback(shutil.rmtree, scratch, ignore_errors=True)
        try:
            server = Server(scratch / "openbao")
            afterwards.callback(server.end)
            # who presses Ctrl-C twice must not stop the tidying up
            afterwards.callback(signal.signal, signal.SIGINT, signal.SIG_IGN)
            steps.run_all(output, scratch, server, arguments.keep)
            if arguments.keep:
                afterwards.pop_all()
        except Unexpected as surprise:
            print(f"error: {surprise}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("interrupted: everything this demo made is removed", file=sys.stderr)
            return 130
    return 0


def end_tidily() -> None:
    """Lets a signal that ends the demo, such as that of a terminal that is closed, end it with all
    its tidying up. One that is ignored (`nohup`) stays so."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, lambda number, _: sys.exit(128 + number))


def leave_my_settings_alone() -> None:
    """Forgets variables that would lead the programs to somebody's real OpenBao or providers."""
    for name in list(os.environ):
        if name.startswith(("BAO_", "VAULT_", "TF_")):
            del os.environ[name]


if __name__ == "__main__":
    sys.exit(main())
