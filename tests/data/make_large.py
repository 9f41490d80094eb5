#!/usr/bin/python3
"""Writes attachment-5mb.eml, too large for the repository: make_large.py DIRECTORY [--bytes N]

The same bytes on every run. The attachment is random, as zip files and pictures look to a compressor."""
import argparse
import base64
import os
import random

HEAD = """From: Accounts <accounts@shop.example>
To: archive@example.net
Subject: Scans of November, all in one
Date: Mon, 30 Nov 2026 17:45:00 +0100
Message-ID: <scans.2026-11@shop.example>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="----=_Scans_11"

------=_Scans_11
Content-Type: text/plain; charset=us-ascii

All receipts of November, as scanned. The pages of the 12th are upside down.

------=_Scans_11
Content-Type: application/zip; name="scans-2026-11.zip"
Content-Disposition: attachment; filename="scans-2026-11.zip"
Content-Transfer-Encoding: base64

"""
TAIL = "\n------=_Scans_11--\n"
LINE = 57  # bytes that make a base64 line of 76


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory")
    parser.add_argument("--bytes", type=int, default=5 * 1024 * 1024, help="of attachment")
    arguments = parser.parse_args()
    os.makedirs(arguments.directory, exist_ok=True)
    attachment = random.Random(2026).randbytes(arguments.bytes)
    path = os.path.join(arguments.directory, "attachment-5mb.eml")
    with open(path + ".part", "wb") as file:
        file.write(HEAD.replace("\n", "\r\n").encode())
        for at in range(0, len(attachment), LINE):
            file.write(base64.b64encode(attachment[at:at + LINE]) + b"\r\n")
        file.write(TAIL.replace("\n", "\r\n").encode())
    os.replace(path + ".part", path)
    print(path)


if __name__ == "__main__":
    main()
