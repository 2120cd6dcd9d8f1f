"""Servers that cannot be used, each in its own way."""

import contextlib
import socket
from collections.abc import Iterator

from openbao import free_ports
from processes import Failed

CERTAINLY_HANGS = 0.3  # seconds; loopback connects within one thousandth


@contextlib.contextmanager
def refusing() -> Iterator[str]:
    """An address where nothing listens."""
    yield f"https://127.0.0.1:{free_ports(1)[0]}"


@contextlib.contextmanager
def silent() -> Iterator[str]:
    """A port that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"


@contextlib.contextmanager
def black_hole() -> Iterator[str]:
    """An address where every connection attempt gets lost.

    Linux drops the first packet of a connection to a listener whose queue is full.
    """
    with contextlib.ExitStack() as afterwards:
        listener = afterwards.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        place = listener.getsockname()
        for _ in range(16):
            try:
                queued = socket.create_connection(place, timeout=CERTAINLY_HANGS)
            except TimeoutError:
                yield f"https://127.0.0.1:{place[1]}"
                return
            afterwards.enter_context(queued)
        raise Failed("the queue of a listener never fills up here: there is no black hole to try")
