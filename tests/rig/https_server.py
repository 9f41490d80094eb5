"""An HTTPS server for trials, in this process. What it answers is its subclass's."""
import http.server
import ssl
import threading


class HttpsServer:
    def __init__(self, certificate, key):
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.reply(None)

            def do_POST(self):
                self.reply(self.rfile.read(int(self.headers["Content-Length"])).decode())

            def reply(self, body):
                status, kind, text = outer.answer(self.path, body, self.headers)
                data = text.encode("latin-1")
                self.send_response(status)
                self.send_header("Content-Type", kind)
                if status in (301, 302):
                    self.send_header("Location", text)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, path, body, headers):
        """(status, content type, text) for a request; `body` None: GET. Text of a redirect is its location."""
        raise NotImplementedError

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
