#!/usr/bin/python3
"""Tries sluice-load against a SubmissionService of a few lines that refuses, forgets and dies as it is told."""
import collections
import concurrent.futures
import glob
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
LOAD = os.path.join(os.environ.get("SLUICE_BIN", "build/debug/bin"), "sluice-load")
STUBS = tempfile.TemporaryDirectory()

subprocess.run(["protoc", "-I", os.path.join(ROOT, "proto"), "--python_out=" + STUBS.name,
                "--grpc_out=" + STUBS.name, "--plugin=protoc-gen-grpc=/usr/bin/grpc_python_plugin",
                *sorted(glob.glob(os.path.join(ROOT, "proto", "sluice", "v1", "[est][vuy][ebp]*.proto"))),
                *glob.glob(os.path.join(ROOT, "proto", "google", "rpc", "*.proto"))], check=True)
sys.path.insert(0, STUBS.name)
import google  # noqa: E402
google.__path__.append(os.path.join(STUBS.name, "google"))
import grpc  # noqa: E402
from google.rpc import error_details_pb2  # noqa: E402
from sluice.v1 import submission_pb2, submission_pb2_grpc  # noqa: E402

UNAVAILABLE, EXHAUSTED, INVALID = 14, 8, 3


class Ingest(submission_pb2_grpc.SubmissionServiceServicer):
    """Keeps each accepted submission by its key, as ingest does."""

    def __init__(self, judge=None, stream_fault=None):
        self.lock = threading.Lock()
        self.accepted = {}
        self.times = collections.Counter()
        self.metadata = []
        self.most_unanswered = 0
        self.judge = judge or (lambda submission, times: None)
        self.stream_fault = stream_fault or (lambda frames: None)
        self.server = None

    def start(self, port=0):
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(8))
        submission_pb2_grpc.add_SubmissionServiceServicer_to_server(self, self.server)
        port = self.server.add_insecure_port("127.0.0.1:%d" % port)
        self.server.start()
        return port

    def SubmitStream(self, requests, context):
        self.metadata.append(dict(context.invocation_metadata()))
        for frames, request in enumerate(requests):
            fault = self.stream_fault(frames)
            if fault:
                context.abort(fault, "as told")
            response = submission_pb2.SubmitStreamResponse(frame_id=request.frame_id)
            for submission in request.submissions:
                response.outcomes.append(self.outcome(submission))
            yield response

    def outcome(self, submission):
        with self.lock:
            key = submission.idempotency_key
            self.times[key] += 1
            outcome = submission_pb2.SubmitOutcome()
            error = self.judge(submission, self.times[key])
            if error:
                outcome.error.code, outcome.error.message = error[:2]
                if len(error) > 2:
                    info = error_details_pb2.RetryInfo()
                    info.retry_delay.FromMilliseconds(error[2])
                    outcome.error.details.add().Pack(info)
                return outcome
            before = self.accepted.setdefault(key, submission)
            assert before == submission, "a retry must be the same submission"
            outcome.result.message_id = "m-" + key
            outcome.result.repeated = self.times[key] > 1
            return outcome


class LoadTest(unittest.TestCase):
    def load(self, ingest, *arguments, expect=0, port=0, key="secret"):
        port = ingest.start(port)
        self.addCleanup(lambda: ingest.server.stop(0).wait())
        done = subprocess.run([LOAD, "--target", "127.0.0.1:%d" % port, "--key", key, *arguments],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, expect, done.stderr)
        return json.loads(done.stdout.splitlines()[-1]), done.stderr

    def test_sends_what_it_is_asked_for(self):
        ingest = Ingest()
        result, _ = self.load(ingest, "--messages", "500", "--domains", "7", "--recipients", "2",
                              "--streams", "transactional=3,marketing", "--campaign", "trial",
                              "--size", "2000")
        self.assertEqual(result["accepted"], 500)
        self.assertEqual(result["recipients_accepted"], 1000)
        self.assertEqual(len(ingest.accepted), 500)
        self.assertEqual(ingest.metadata[0]["authorization"], "Bearer secret")
        streams = collections.Counter(s.stream for s in ingest.accepted.values())
        self.assertEqual(streams, {"transactional": 375, "marketing": 125})
        one = next(iter(ingest.accepted.values()))
        self.assertEqual(len(one.content), 2000)
        self.assertEqual(one.campaign, "trial")
        self.assertEqual(one.return_path, "news@shop.example")
        self.assertEqual(len(one.recipients), 2)
        self.assertTrue(one.content.startswith(b"X-Rig-Token: " + one.idempotency_key.encode()))
        self.assertLessEqual(result["compression_ratio_lz4"], 2.5)
        domains = {r.address.split("@")[1] for s in ingest.accepted.values() for r in s.recipients}
        self.assertEqual(domains, {"d%d.test" % i for i in range(7)})

    def test_retries_with_the_same_key_until_accepted(self):
        def judge(submission, times):
            if times == 1:
                return (UNAVAILABLE, "later") if random.random() < 0.5 else (EXHAUSTED, "full", 30)
        ingest = Ingest(judge)
        result, _ = self.load(ingest, "--messages", "200")
        self.assertEqual(result["accepted"], 200)
        self.assertEqual(result["retried"], 200)
        self.assertEqual(set(ingest.times.values()), {2})

    def test_counts_what_is_rejected_and_does_not_try_again(self):
        ingest = Ingest(lambda s, times: (INVALID, "stream: unknown") if s.stream == "bad" else None)
        result, _ = self.load(ingest, "--messages", "100", "--streams", "good=3,bad", expect=3)
        self.assertEqual(result["accepted"], 75)
        self.assertEqual(result["rejected"], 25)
        self.assertEqual(max(ingest.times.values()), 1)
        self.assertIn("unknown", result["errors"]["INVALID_ARGUMENT"]["sample"])

    def test_survives_streams_that_break(self):
        ingest = Ingest(stream_fault=lambda frames: grpc.StatusCode.UNAVAILABLE if frames == 3 else None)
        result, _ = self.load(ingest, "--messages", "400", "--connections", "2", "--frame", "8")
        self.assertEqual(result["accepted"], 400)
        self.assertGreater(result["reconnects"], 2)
        self.assertEqual(len(ingest.accepted), 400)

    def test_survives_the_death_of_the_server(self):
        ingest = Ingest()
        port = ingest.start()
        with tempfile.TemporaryDirectory() as directory:
            tokens = os.path.join(directory, "tokens")
            load = subprocess.Popen([LOAD, "--target", "127.0.0.1:%d" % port, "--key", "k",
                                     "--messages", "600", "--rate", "400", "--tokens-file", tokens],
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            end = time.monotonic() + 20
            while len(ingest.accepted) < 150 and time.monotonic() < end:
                time.sleep(0.01)
            ingest.server.stop(0).wait()
            self.assertLess(len(ingest.accepted), 600)
            ingest.start(port)
            self.addCleanup(lambda: ingest.server.stop(0).wait())
            out, errors = load.communicate(timeout=60)
            self.assertEqual(load.returncode, 0, errors)
            with open(tokens) as lines:
                told = [line.split("\t")[0] for line in lines]
        result = json.loads(out.splitlines()[-1])
        self.assertEqual(result["accepted"], 600)
        self.assertGreaterEqual(result["reconnects"], 1)
        self.assertEqual(sorted(told), sorted(ingest.accepted))

    def test_stops_at_what_no_retry_mends(self):
        ingest = Ingest(stream_fault=lambda frames: grpc.StatusCode.UNAUTHENTICATED)
        port = ingest.start()
        self.addCleanup(lambda: ingest.server.stop(0).wait())
        done = subprocess.run([LOAD, "--target", "127.0.0.1:%d" % port, "--key", "wrong", "--messages", "10"],
                              capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 1)
        self.assertIn("as told", done.stderr)

    def test_keeps_its_rate(self):
        result, _ = self.load(Ingest(), "--rate", "200", "--duration", "2s")
        self.assertAlmostEqual(result["accepted"], 400, delta=20)
        self.assertAlmostEqual(result["messages_per_s"], 200, delta=15)

    def test_ends_sending_on_sigterm_and_waits_for_answers(self):
        ingest = Ingest()
        port = ingest.start()
        self.addCleanup(lambda: ingest.server.stop(0).wait())
        load = subprocess.Popen([LOAD, "--target", "127.0.0.1:%d" % port, "--key", "k", "--duration", "1h",
                                 "--rate", "300"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        end = time.monotonic() + 20
        while len(ingest.accepted) < 50 and time.monotonic() < end:
            time.sleep(0.01)
        load.send_signal(signal.SIGTERM)
        out, _ = load.communicate(timeout=20)
        result = json.loads(out.splitlines()[-1])
        self.assertEqual(result["accepted"], len(ingest.accepted))
        self.assertEqual(result["unanswered"], 0)


class CompareTest(unittest.TestCase):
    def compare(self, tokens, record, *arguments):
        with tempfile.TemporaryDirectory() as directory:
            paths = [os.path.join(directory, name) for name in ("tokens", "record")]
            with open(paths[0], "w") as file:
                file.writelines("\t".join(map(str, t)) + "\n" for t in tokens)
            with open(paths[1], "w") as file:
                file.writelines(json.dumps(r) + "\n" for r in record)
            done = subprocess.run(["/usr/bin/python3", os.path.join(HERE, "compare.py"), "--tokens", paths[0],
                                   "--record", paths[1], *arguments], capture_output=True, text=True)
        return done.returncode, dict(line.split(": ") for line in done.stdout.splitlines())

    @staticmethod
    def entry(token, to, digest="d", code=250):
        return {"t": 1.5, "src": "127.0.0.1:1", "reached": "replied", "code": code, "to": to, "token": token,
                "suffix_size": 10, "suffix_xxh3": digest}

    def test_is_content_when_all_came_once(self):
        code, said = self.compare([("aa", "x@d,y@d", 10, "d")],
                                  [self.entry("aa", ["x@d"]), self.entry("aa", ["y@d"]),
                                   self.entry("aa", ["z@d"], code=451)])
        self.assertEqual((code, said["lost"], said["duplicated"]), (0, "0", "0"))

    def test_finds_loss_duplicates_and_damage(self):
        record = [self.entry("aa", ["x@d"]), self.entry("aa", ["x@d"]), self.entry("cc", ["x@d"], digest="e")]
        tokens = [("aa", "x@d", 10, "d"), ("bb", "x@d", 10, "d"), ("cc", "x@d", 10, "d")]
        code, said = self.compare(tokens, record)
        self.assertEqual((code, said["lost"], said["duplicated"], said["damaged"]), (1, "1", "1", "1"))
        code, _ = self.compare(tokens[:1], record[:2], "--max-duplicated", "1")
        self.assertEqual(code, 0)


if __name__ == "__main__":
    unittest.main()
