"""tools/demo: tells the way of a secret, from `create-host` to a file, by walking it."""

import argparse
import contextlib
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import story
from narrator import Narrator, Unexpected
from server import Server


def main() -> int:
    """Gives the exit status."""
    arguments = argparse.ArgumentParser(prog="tools/demo", description=__doc__)
    arguments.add_argument(
        "--keep", action="store_true", help="leave the fleet and the server, for playing"
    )
    keep = arguments.parse_args().keep
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    leave_my_settings_alone()
    narrator = Narrator()
    scratch = Path(tempfile.mkdtemp(prefix="secrets-demo-"))
    with contextlib.ExitStack() as afterwards:
        afterwards.callback(shutil.rmtree, scratch, ignore_errors=True)
        try:
            server = Server(scratch / "openbao")
            afterwards.callback(server.end)
            story.tell(narrator, scratch, server, keep)
            if keep:
                afterwards.pop_all()
        except Unexpected as surprise:
            print(f"error: {surprise}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("interrupted: everything this demo made is removed", file=sys.stderr)
            return 130
    return 0


def leave_my_settings_alone() -> None:
    """Forgets variables that would lead the programs to somebody's real OpenBao or providers."""
    for name in list(os.environ):
        if name.startswith(("BAO_", "VAULT_", "TF_")):
            del os.environ[name]


if __name__ == "__main__":
    sys.exit(main())
