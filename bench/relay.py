"""A relay that ends TLS and counts HTTP requests."""

import http.client
import http.server
import ssl
import threading
import urllib.parse
from pathlib import Path


class Relay:
    """Relays all requests to the server at `address`, with that server's certificate."""

    def __init__(self, address: str, authority: Path, certificate: Path, key: Path) -> None:
        near = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        near.load_cert_chain(certificate, key)
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.socket = near.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self._server.daemon_threads = True
        self._server.lock = threading.Lock()
        self._server.target = urllib.parse.urlsplit(address).netloc
        self._server.trust = ssl.create_default_context(cafile=str(authority))
        self.address = f"https://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def requests(self) -> int:
        """The number of requests."""
        return self._server.requests

    def end(self) -> None:
        """Stops the relay."""
        self._server.shutdown()
        self._server.server_close()


class _Server(http.server.ThreadingHTTPServer):
    requests = 0


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def relay(self) -> None:
        with self.server.lock:
            self.server.requests += 1
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        far = http.client.HTTPSConnection(self.server.target, context=self.server.trust)
        try:
            far.request(self.command, self.path, body or None, dict(self.headers))
            answer = far.getresponse()
            content = answer.read()
        finally:
            far.close()
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_LIST = do_DELETE = relay

    def log_message(self, *_: object) -> None:
        """Discards the log."""
