"""A TCP forwarder that counts the bytes that pass."""

import contextlib
import socket
import threading
import urllib.parse


class Forwarder:
    """Listens on loopback and forwards to `address`."""

    def __init__(self, address: str) -> None:
        self._target = ("127.0.0.1", urllib.parse.urlsplit(address).port)
        self._lock = threading.Lock()
        self._pumps: list[threading.Thread] = []
        self._bytes = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.address = f"https://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def take(self) -> int:
        """The bytes in both directions since this was called last, all connections being closed."""
        with self._lock:
            pumps, self._pumps = self._pumps, []
        for pump in pumps:
            pump.join(timeout=10)
        with self._lock:
            passed, self._bytes = self._bytes, 0
        return passed

    def end(self) -> None:
        """Listens no more."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._target)
                pumps = [
                    threading.Thread(target=self._pump, args=pair, daemon=True)
                    for pair in ((near, far), (far, near))
                ]
                with self._lock:
                    self._pumps += pumps
                for pump in pumps:
                    pump.start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                with self._lock:
                    self._bytes += len(data)
                sink.sendall(data)
        for half, how in ((source, socket.SHUT_RD), (sink, socket.SHUT_WR)):
            with contextlib.suppress(OSError):
                half.shutdown(how)
