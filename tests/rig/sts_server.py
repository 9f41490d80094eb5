"""An HTTPS server of MTA-STS policies for trials, in this process: host name → answer, to be changed at any time."""
import http.server
import ssl
import threading

POLICY = "version: STSv1\nmode: %s\n%smax_age: %d\n"


def policy(mode, *mx, max_age=86400):
    return POLICY % (mode, "".join("mx: %s\n" % m for m in mx), max_age)


class StsServer:
    """`answers`: "mta-sts.example.test" → the policy's text, or (status, content type, body)."""

    def __init__(self, certificate, key, answers):
        self.answers, self.asked = answers, []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                host = self.headers.get("Host", "").rsplit(":", 1)[0]
                outer.asked.append((host, self.path))
                answer = outer.answers.get(host) if self.path == "/.well-known/mta-sts.txt" else None
                if isinstance(answer, str):
                    answer = (200, "text/plain", answer)
                status, kind, body = answer or (404, "text/plain", "no such policy\n")
                self.send_response(status)
                self.send_header("Content-Type", kind)
                if status in (301, 302):
                    self.send_header("Location", body)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
