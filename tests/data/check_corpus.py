#!/usr/bin/python3
"""Holds what README.md says of the corpus: CRLF, line lengths, charsets, signatures, kinds."""
import email
import email.policy
import glob
import os
import re
import shutil
import subprocess
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))


def read(name):
    with open(os.path.join(HERE, "mail", name), "rb") as file:
        return file.read()


class CorpusTest(unittest.TestCase):
    names = sorted(os.path.basename(p) for p in glob.glob(os.path.join(HERE, "mail", "*.eml")))

    def test_is_listed_in_the_readme(self):
        with open(os.path.join(HERE, "README.md"), encoding="utf-8") as file:
            listed = re.findall(r"`([a-z0-9-]+\.eml)`", file.read())
        self.assertEqual(sorted(set(listed) - {"attachment-5mb.eml"}), self.names)

    def test_has_crlf_everywhere_and_no_long_line(self):
        for name in self.names:
            with self.subTest(name):
                content = read(name)
                self.assertNotIn(b"\0", content)
                self.assertEqual(content.replace(b"\r\n", b"").count(b"\n"), 0)
                self.assertEqual(content.replace(b"\r\n", b"").count(b"\r"), 0)
                self.assertLessEqual(max(map(len, content.split(b"\r\n"))), 998)
                self.assertEqual(content.endswith(b"\r\n"), name != "no-final-newline.eml")

    def test_has_the_headers_of_submitted_mail(self):
        for name in self.names:
            with self.subTest(name):
                head = read(name).split(b"\r\n\r\n")[0]
                for header in (b"From", b"To", b"Subject", b"Date", b"Message-ID"):
                    self.assertEqual(len(re.findall(b"(?m)^" + header + b":", head)), 1, header)
                self.assertRegex(head, b"(?m)^From: [^\r]*@shop\\.example>?\r?$")

    def test_decodes_in_the_charsets_it_names(self):
        for name in self.names:
            with self.subTest(name):
                message = email.message_from_bytes(read(name), policy=email.policy.default)
                self.assertEqual(message.defects, [])
                for part in message.walk():
                    self.assertEqual(part.defects, [])
                    if part.get_content_maintype() == "text":
                        part.get_payload(decode=True).decode(part.get_content_charset("us-ascii"))

    def test_has_eight_bits_where_it_should(self):
        for name, eight in (("body-8bit-utf8.eml", True), ("charset-shift-jis.eml", True),
                            ("charset-iso-2022-jp.eml", False), ("headers-rfc2047.eml", False)):
            self.assertEqual(any(b > 127 for b in read(name)), eight, name)
        self.assertTrue(any(b > 127 for b in read("headers-raw-utf8.eml").split(b"\r\n\r\n")[0]))

    def test_has_lines_at_the_limit_and_lines_of_dots(self):
        self.assertIn(998, map(len, read("lines-near-998.eml").split(b"\r\n")))
        dots = read("lines-of-dots.eml")
        self.assertGreater(dots.count(b"\r\n.\r\n"), 3)
        self.assertIn(b"\r\n..\r\n", dots)

    @unittest.skipUnless(shutil.which("openssl"), "no openssl")
    def test_has_a_signature_that_verifies(self):
        path = os.path.join(HERE, "mail", "smime-signed.eml")
        done = subprocess.run(["openssl", "smime", "-verify", "-noverify", "-in", path, "-crlfeol"],
                              capture_output=True)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_makes_the_large_one_the_same_each_time(self):
        with tempfile.TemporaryDirectory() as directory:
            script = os.path.join(HERE, "make_large.py")
            contents = []
            for _ in range(2):
                subprocess.run(["/usr/bin/python3", script, directory], check=True, capture_output=True)
                with open(os.path.join(directory, "attachment-5mb.eml"), "rb") as file:
                    contents.append(file.read())
        self.assertEqual(contents[0], contents[1])
        self.assertGreater(len(contents[0]), 5 * 1024 * 1024)
        self.assertEqual(contents[0].replace(b"\r\n", b"").count(b"\n"), 0)


if __name__ == "__main__":
    unittest.main()
