"""tools/test: runs the checks one after the other and says at the end what passed."""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import hygiene
import stages
from command import Interrupted, Runner
from report import Report


def main() -> int:
    """Gives the exit status."""
    wanted = groups_from_arguments()
    signal.signal(signal.SIGTERM, interrupt)
    hygiene.adopt_orphans()
    report = Report()
    path = set_up(sorted({part for group in wanted for part in stages.PARTS[group]}), report)
    # Short: the path of a Unix socket has 108 bytes.
    scratch = Path(tempfile.mkdtemp(prefix="zts-"))
    scratch.chmod(0o711)  # some tests take on another user, who has a folder of its own in there
    runner = Runner(stages.ROOT, environment(path, scratch))
    try:
        for stage in stages.STAGES:
            if stage.group in wanted:
                report.run(stage, runner, scratch)
    except (Interrupted, KeyboardInterrupt):
        hygiene.sweep(scratch, grace=0)
        print("error: interrupted", file=sys.stderr)
        return 130
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return report.close()


def groups_from_arguments() -> set[str]:
    """The groups named on the command line, all of them when none is."""
    parser = argparse.ArgumentParser(prog="tools/test", description=__doc__)
    parser.add_argument("group", nargs="*", metavar="GROUP", help="; ".join(stages.PARTS))
    chosen = parser.parse_args().group
    unknown = [group for group in chosen if group not in stages.PARTS]
    if unknown:
        parser.error(f"unknown group `{unknown[0]}`\n\nhint: groups: {' '.join(stages.PARTS)}")
    return set(chosen or stages.PARTS)


def set_up(parts: list[str], report: Report) -> str:
    """Runs tools/setup, shows what it says as it says it, and gives the PATH to go on with."""
    command = [stages.ROOT / "tools/setup", "--print-path", *parts]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as setup:
        said = []
        for line in setup.stderr:
            print(line, end="", file=sys.stderr, flush=True)
            said.append(line)
        folders = setup.stdout.read().strip()
    report.add_setup(setup.returncode, "".join(said))
    return f"{folders}:{os.environ['PATH']}" if folders else os.environ["PATH"]


def environment(path: str, scratch: Path) -> dict[str, str]:
    """The developer's environment, without what would steer a test to the developer's server."""
    kept = {name: value for name, value in os.environ.items() if not re.match("(BAO|VAULT)_", name)}
    return kept | {
        "PATH": path,
        "TMPDIR": str(scratch),
        "TERM": "dumb",  # no colours in what is kept and read
        "CARGO_TERM_COLOR": "never",
        "INSTA_UPDATE": "no",  # a changed text is a failure, not a file in the tree
        "RUFF_NO_CACHE": "true",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def interrupt(*_: object) -> None:
    """Ends a run on SIGTERM as Ctrl-C does: nothing stays behind."""
    raise Interrupted


if __name__ == "__main__":
    sys.exit(main())
