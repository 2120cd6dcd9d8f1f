"""Addresses of servers that cannot be used."""

import contextlib
import socket
from collections.abc import Iterator

from openbao import free_ports
from processes import MeasurementError

CONNECT_TIMEOUT = 0.3  # seconds; loopback connects within one millisecond


@contextlib.contextmanager
def refusing() -> Iterator[str]:
    """Yields an address that nothing listens on."""
    yield f"https://127.0.0.1:{free_ports(1)[0]}"


@contextlib.contextmanager
def silent() -> Iterator[str]:
    """Yields an address that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"


@contextlib.contextmanager
def black_hole() -> Iterator[str]:
    """Yields an address that drops all packets.

    Linux drops the first packet of a connection to a listener whose queue is full.
    """
    with contextlib.ExitStack() as connections:
        listener = connections.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        address = listener.getsockname()
        for _ in range(16):
            try:
                queued = socket.create_connection(address, timeout=CONNECT_TIMEOUT)
            except TimeoutError:
                yield f"https://127.0.0.1:{address[1]}"
                return
            connections.enter_context(queued)
        raise MeasurementError("the queue of a listener never fills up on this machine")


ALL = {"refused": refusing, "accepts, never answers": silent, "black hole": black_hole}
