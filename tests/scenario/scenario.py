"""What every scenario file begins with: unittest, the trial, the client."""
import pathlib
import sys
import unittest
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "rig"))
import grpc  # noqa: E402,F401
from client import Client, retry_delay, submission, submission_pb2, violations  # noqa: E402,F401
from trial import AT_FULL_SPEED, POLICY, Failure, Trial, wait_for  # noqa: E402,F401

MAIL = b"From: News <news@shop.example>\r\nTo: you@example.com\r\nSubject: hello\r\n\r\nBody\r\n"


def mail(subject="hello", body=b"Body\r\n", head=b"From: News <news@shop.example>\r\n"):
    return head + b"Subject: " + subject.encode() + b"\r\n\r\n" + body


def most_in_any(times, interval):
    """The most of `times` within any interval of that many seconds."""
    times, most, begin = sorted(times), 0, 0
    for at, time_ in enumerate(times):
        while times[begin] + interval <= time_:
            begin += 1
        most = max(most, at - begin + 1)
    return most


class Scenario(unittest.TestCase):
    """A trial that all tests of the file share; `options` go to Trial.start."""
    options = {}

    @classmethod
    def setUpClass(cls):
        cls.trial = Trial().__enter__()
        cls.addClassCleanup(cls.finish)
        cls.trial.start(**cls.options)
        cls.client = cls.trial.client("shop")

    @classmethod
    def finish(cls):
        # unittest does not tell a class whether it failed: logs are kept by SLUICE_KEEP.
        cls.trial.__exit__(None, None, None)

    def refused(self, code, call, *arguments, **more):
        """The grpc.RpcError of a call that must fail with `code`."""
        with self.assertRaises(grpc.RpcError) as caught:
            call(*arguments, **more)
        self.assertEqual(caught.exception.code(), code, caught.exception.details())
        return caught.exception

    def metric(self, name):
        """Of the scheduler; without labels, or of the first that has some."""
        address = self.trial.local["scheduler"].config["metrics.listen"]
        text = urllib.request.urlopen("http://%s/metrics" % address, timeout=10).read().decode()
        return float(next(line.split()[-1] for line in text.splitlines() if line.split(" ")[0].split("{")[0] == name))

    def events(self, kind=None):
        where = " where kind = '%s'" % kind if kind else ""
        return self.trial.local.sql("select kind, recipient, stage, reply_code, enhanced_status, source from event%s "
                                    "order by shard, seq" % where)
