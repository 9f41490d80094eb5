"""Certificates for trials: an authority and what it issues, made by the openssl of the distribution."""
import hashlib
import pathlib
import subprocess


def openssl(*arguments, stdin=None):
    return subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, input=stdin).stdout


class Authority:
    """Files go into `directory`, which the caller removes."""

    def __init__(self, directory, name="authority"):
        self.dir = pathlib.Path(directory)
        self.dir.mkdir(parents=True, exist_ok=True)
        self.dir.chmod(0o755)
        self.ca_file = self.dir / (name + ".pem")
        self.key_file = self.dir / (name + ".key")
        self.count = 0
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 30, "-subj",
                "/CN=" + name, "-keyout", self.key_file, "-out", self.ca_file)

    def issue(self, *names):
        """Certificate and key file for host names or addresses."""
        self.count += 1
        stem = self.dir / ("issued-%d" % self.count)
        certificate, key, request, extensions = (stem.with_suffix(s) for s in (".pem", ".key", ".csr", ".ext"))
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=" + names[0],
                "-keyout", key, "-out", request)
        extensions.write_text("subjectAltName=" + ",".join(
            ("IP:" if n.replace(".", "").isdigit() else "DNS:") + n for n in names))
        openssl("x509", "-req", "-in", request, "-CA", self.ca_file, "-CAkey", self.key_file, "-CAcreateserial", "-days", 30,
                "-extfile", extensions, "-out", certificate)
        # The chain, as servers send it.
        certificate.write_text(certificate.read_text() + self.ca_file.read_text())
        for path in (certificate, key):
            path.chmod(0o644)
        return certificate, key


def tlsa(certificate, usage=3, selector=1, matching=1):
    """The data of a TLSA record that matches a certificate file: "3 1 1 0123…"."""
    if selector == 0:
        data = openssl("x509", "-in", certificate, "-outform", "DER")
    else:
        public = openssl("x509", "-in", certificate, "-noout", "-pubkey")
        data = openssl("pkey", "-pubin", "-outform", "DER", stdin=public)
    digest = {0: lambda d: d.hex(), 1: lambda d: hashlib.sha256(d).hexdigest(), 2: lambda d: hashlib.sha512(d).hexdigest()}
    return "%d %d %d %s" % (usage, selector, matching, digest[matching](data))
