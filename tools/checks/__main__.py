"""Runs the checks, quick ones first and some side by side, and says at the end what passed."""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import hygiene
import stages
from command import Children, Interrupted, Runner
from report import Report


def main() -> int:
    """Gives the exit status."""
    quick, wanted = groups_from_arguments()
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # `nohup` begins a run with SIGHUP ignored
            signal.signal(number, interrupt)
    hygiene.adopt_orphans()
    report = Report()
    chosen = stages.QUICK if quick else [s for s in stages.STAGES if s.group in wanted]
    path = set_up(stages.parts_of(chosen, wanted), report)
    children = Children()
    scratch = Path(tempfile.mkdtemp(prefix="zts-"))
    scratch.chmod(0o711)  # as contained.py's in it: some tests take on another user
    variables = environment(path, scratch)
    try:
        for batch in stages.batches(chosen):
            run_batch(batch, variables, children, report)
    except (Interrupted, KeyboardInterrupt):
        print("error: interrupted", file=sys.stderr)
        return 130
    finally:
        hygiene.end_children()
        shutil.rmtree(scratch, ignore_errors=True)
    return report.close()


def run_batch(batch: list, variables: dict[str, str], children: Children, report: Report) -> None:
    """Runs stages side by side to their end."""
    with ThreadPoolExecutor(len(batch)) as pool:
        try:
            jobs = {}
            for stage in batch:
                runner = Runner(stages.ROOT, variables, children, stage.name)
                jobs[pool.submit(report.run, stage, runner)] = stage.name
            watch(jobs)
        except BaseException:
            # Another signal must not interrupt the following steps.
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            children.stop()
            raise


def watch(jobs: dict) -> None:
    """Shows that stages go on, until all have ended; raises what one of them raised."""
    terminal = sys.stderr.isatty()
    started = shown = time.monotonic()
    while left := [name for job, name in jobs.items() if not job.done()]:
        wait(jobs, timeout=0.2 if len(jobs) == 1 else 1, return_when="ALL_COMPLETED")
        now = time.monotonic()
        if terminal:
            line = f"{', '.join(left)}: {now - started:.0f} s"
            print(f"\r\033[K{line[:78]}", end="", file=sys.stderr, flush=True)
        elif now - shown >= 60:
            shown = now
            print(f"{', '.join(left)}: still at it after {now - started:.0f} s", file=sys.stderr)
    for job in jobs:
        job.result()


def groups_from_arguments() -> tuple[bool, set[str]]:
    """Returns whether `quick` was asked for, and the named groups, or all groups."""
    parser = argparse.ArgumentParser(prog="tools/test", description=__doc__)
    parser.add_argument(
        "group",
        nargs="*",
        metavar="GROUP",
        help=f"{'; '.join(stages.PARTS)}; or `quick` alone: what takes about three minutes",
    )
    chosen = parser.parse_args().group
    if chosen == ["quick"]:
        return True, set()
    unknown = [group for group in chosen if group not in stages.PARTS]
    if unknown:
        known = " ".join(stages.PARTS)
        parser.error(f"unknown group `{unknown[0]}`\n\nhint: groups: {known}, or `quick` alone")
    return False, set(chosen or set(stages.PARTS) - stages.BY_HAND)


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
        # The bare tests see the tree alone, not a folder of the developer's for all projects.
        "CARGO_TARGET_DIR": str(stages.ROOT / "target"),
        "INSTA_UPDATE": "no",  # a changed text is a failure, not a file in the tree
        "RUFF_NO_CACHE": "true",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def interrupt(*_: object) -> None:
    """Ends a run on SIGTERM as Ctrl-C does: nothing stays behind."""
    raise Interrupted


if __name__ == "__main__":
    sys.exit(main())
