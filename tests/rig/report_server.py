"""An HTTPS server of others' reports for trials, in this process: SNDS, Postmaster Tools and their token endpoints, as they are documented.
What it answers is changed at any time; what it was asked stays."""
import json

from https_server import HttpsServer

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
    if value is None:
        return row
    if isinstance(value, list):
        return {**row, "value": {"stringList": {"values": value}}}
    return {**row, "value": {"intValue": str(value)} if isinstance(value, int) else {"doubleValue": value}}


def stats(*rows):
    """What domainStats:query answers: of these rows those whose metrics are asked for."""
    def answer(body):
        asked = {metric["name"] for metric in json.loads(body)["metricDefinitions"]}
        return json.dumps({"domainStats": [row for row in rows if row["metric"] in asked]})
    return answer


class ReportServer(HttpsServer):
    """`answers`: path (without query) → text, (status, content type, text), or a function of the question's body. `tokens`: refresh token →
    the one that replaces it, or None to keep it; others are refused as expired. Reports other than links want an access token that this
    server gave out."""
    OPEN = ("/links/",)

    def __init__(self, certificate, key, answers, tokens):
        self.answers, self.tokens = answers, tokens
        self.asked, self.given = [], set()
        super().__init__(certificate, key)

    def answer(self, path, body, headers):
        self.asked.append((path, body))
        path = path.partition("?")[0]
        if path.startswith("/token"):
            return self.token(body)
        if not path.startswith(self.OPEN) and headers.get("Authorization", "").removeprefix("Bearer ") not in self.given:
            return 401, "application/json", json.dumps({"error": {"code": 401}})
        found = self.answers.get(path, (404, "text/plain", "no data\n"))
        found = found(body) if callable(found) else found
        return found if isinstance(found, tuple) else (200, "text/plain", found)

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
