"""What the scenarios of signing share: keys as an operator makes them, and a verifier that is not ours (python3-dkim)."""
import base64
import pathlib
import subprocess

import dkim
import dkim.crypto

RSA, ED25519 = "rsa-sha256", "ed25519-sha256"


def openssl(*arguments):
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True).stdout


def make_key(path, algorithm=RSA, bits=2048):
    """Puts a private key there at once; the value of the DNS record that belongs to it."""
    path = pathlib.Path(path)
    kind = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:%d" % bits] if algorithm == RSA else ["-algorithm", "ed25519"]
    made = path.with_name("." + path.name)
    made.write_bytes(openssl("genpkey", *kind))
    public = openssl("pkey", "-in", str(made), "-pubout", "-outform", "DER")
    made.rename(path)
    if algorithm == RSA:
        return b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)
    return b"v=DKIM1; k=ed25519; p=" + base64.b64encode(public[-32:])


def header_fields(message, name):
    """The values of these fields, unfolded."""
    head = message.split(b"\r\n\r\n", 1)[0].replace(b"\r\n\t", b"\t").replace(b"\r\n ", b" ")
    return [line.split(b":", 1)[1].strip() for line in head.split(b"\r\n")
            if line.lower().startswith(name.lower().encode() + b":")]


def tags(signature):
    return {k.strip(): v.strip() for k, v in (part.split(b"=", 1) for part in signature.split(b";") if b"=" in part)}


def check(test, message, records, expect):
    """Every signature of `message` verifies with `records` (name in DNS → value), and they are those of `expect`."""
    names = []
    for index, signature in enumerate(header_fields(message, "DKIM-Signature")):
        found = tags(signature)
        name = found[b"s"] + b"._domainkey." + found[b"d"]
        names.append(name.decode())
        verifier = dkim.DKIM(message)
        ask = lambda asked, timeout=5: records.get(asked.decode().rstrip(".") if isinstance(asked, bytes) else asked.rstrip("."))
        test.assertTrue(verifier.verify(index, dnsfunc=ask), "%s does not verify:\n%s" % (name, message[:2000]))
    test.assertEqual(sorted(names), sorted(expect))
