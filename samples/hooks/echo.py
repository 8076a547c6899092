"""A server to try the hooks with: it answers with what it was asked. `python echo.py PORT NAME`."""

import http.server
import sys


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers with its own name, the request's line and fields, and its body."""

    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        """Send it all back."""
        asked = self.rfile.read(int(self.headers["content-length"] or 0)) or self.chunks()
        lines = [f"{sys.argv[2]}: {self.requestline}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        body = "\n".join([*lines, "", ""]).encode() + asked
        self.send_response(200)
        self.send_header("content-type", "text/plain")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def chunks(self) -> bytes:
        """A body whose length wasn't told before, as one has that a hook may change."""
        found = b""
        if self.headers["transfer-encoding"] != "chunked":
            return found
        while size := int(self.rfile.readline(), 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return found

    do_GET = do_POST = do_PUT = answer

    def log_message(self, *_: object) -> None:
        """Say nothing."""


with http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Echo) as server:
    server.serve_forever()
