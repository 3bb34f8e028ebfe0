"""A small reverse proxy that shows a farm under a path, as nginx and Traefik do."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_OWN = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "proxy-connection"}
"""Headers of one connection, which no proxy passes on (RFC 9110, 7.6.1)."""


@contextmanager
def under_path(api: str, path: str, takes_away: bool, keeps_host: bool = True) -> Iterator[str]:
    """The address under which everything below `path` is that of the API at the address `api`; the rest is not found.

    `takes_away`: the API is asked without the path. `keeps_host`: it is told the name that the browser used.
    """
    target = urlsplit(api).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def _pass_on(self) -> None:
            self.close_connection = True
            if self.path != path and not self.path.startswith((f"{path}/", f"{path}?")):
                self.send_error(404)
                return
            asked = (self.path[len(path) :] or "/") if takes_away else self.path
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _OWN}
            if not keeps_host:
                headers["Host"] = target
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            connection = http.client.HTTPConnection(target, timeout=120)
            try:
                connection.request(self.command, asked, body or None, headers)
                answer = connection.getresponse()
                self.send_response_only(answer.status, answer.reason)
                for name, value in answer.getheaders():
                    if name.lower() not in _OWN:
                        self.send_header(name, value)
                self.send_header("Connection", "close")
                self.end_headers()
                while self.command != "HEAD" and (piece := answer.read1(65536)):
                    self.wfile.write(piece)
                    self.wfile.flush()
            except (OSError, http.client.HTTPException):
                return  # either side has gone, as browsers do in the middle of events
            finally:
                connection.close()

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _pass_on  # noqa: N815 - as they are called

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}{path}"
        finally:
            server.shutdown()
            thread.join()
