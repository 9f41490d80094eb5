"""An HTTPS server of others' reports for trials, in this process: SNDS, Postmaster Tools and their token endpoints, as they are documented.
What it answers is changed at any time; what it was asked stays."""
import http.server
import json
import ssl
import threading

SNDS_HEAD = ("Ip Address,Activity period,RCPT commands,DATA commands,Message recipients,Filter result,Complaint rate,Trap message period,"
             "Trap hits,JMR P1 Sender,Comments\r\n")
LOGIN_PAGE = "<!DOCTYPE html><html><title>Sign in to your account</title><form action=/login></form></html>"


def snds_row(address, result="GREEN", complaints="<0.1%", traps=0):
    """Of the shape since June 2026."""
    return "%s,6/1/2026 1:00 AM,510,408,408,%s,%s,6/1/2026 2:00 AM,%d,,\r\n" % (address, result, complaints, traps)


def legacy_row(address, result="GREEN", complaints="<0.1%", traps=0):
    """Fourteen columns, no heading."""
    return ("%s,11/20/2026 12:00 AM,11/21/2026 12:00 AM,120,110,110,%s,%s,11/20/2026 1:00 AM,11/20/2026 2:00 AM,%d,mta.shop.example,"
            "news@shop.example,\r\n" % (address, result, complaints, traps))


def stat(metric, day, value=None):
    """A row of domainStats; without a value there was too little mail that day."""
    row = {"metric": metric, "date": {"year": 2026, "month": 11, "day": day}}
    return row if value is None else {**row, "value": {"doubleValue": value}}


class ReportServer:
    """`answers`: path (without query) → text or (status, content type, text). `tokens`: refresh token → the one that replaces it, or None to
    keep it; others are refused as expired. Reports other than links want an access token that this server gave out."""
    OPEN = ("/links/",)

    def __init__(self, certificate, key, answers, tokens):
        self.answers, self.tokens = answers, tokens
        self.asked, self.given = [], set()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.answer(None)

            def do_POST(self):
                self.answer(self.rfile.read(int(self.headers["Content-Length"])).decode())

            def answer(self, body):
                path = self.path.partition("?")[0]
                outer.asked.append((self.path, body))
                status, kind, text = outer.answer(path, body, self.headers.get("Authorization", ""))
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

    def answer(self, path, body, authorization):
        if path.startswith("/token"):
            return self.token(body)
        if not path.startswith(self.OPEN) and authorization.removeprefix("Bearer ") not in self.given:
            return 401, "application/json", json.dumps({"error": {"code": 401}})
        answer = self.answers.get(path, (404, "text/plain", "no data\n"))
        return answer if isinstance(answer, tuple) else (200, "text/plain", answer)

    def token(self, body):
        fields = dict(pair.split("=", 1) for pair in body.split("&"))
        refresh = fields.get("refresh_token")
        if fields.get("grant_type") != "refresh_token" or refresh not in self.tokens:
            return 400, "application/json", json.dumps({"error": "invalid_grant", "error_description": "%s has expired" % refresh})
        access = "access-%d" % len(self.given)
        self.given.add(access)
        out = {"access_token": access, "token_type": "Bearer", "expires_in": 3600}
        if self.tokens[refresh]:
            out["refresh_token"] = self.tokens.pop(refresh)
            self.tokens[out["refresh_token"]] = None
        return 200, "application/json", json.dumps(out)

    def count(self, part):
        return sum(part in path for path, _ in self.asked)

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
