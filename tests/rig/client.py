"""A Sluice client in Python: what a user's program does, with the distribution's python3-grpcio.

Stubs are made by protoc into build/python when the protos are newer.
"""
import fcntl
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
MESSAGE_BYTES = 70 << 20


def make_stubs():
    """Directory with the generated modules."""
    out = ROOT / "build" / "python"
    out.mkdir(parents=True, exist_ok=True)
    protos = sorted((ROOT / "proto").rglob("*.proto"))
    stamp = out / "stamp"
    with open(out / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or any(p.stat().st_mtime > stamp.stat().st_mtime for p in protos):
            plugin = "/usr/bin/grpc_python_plugin"
            subprocess.run(["protoc", "-I", str(ROOT / "proto"), "--python_out", str(out), "--grpc_python_out", str(out),
                            "--plugin=protoc-gen-grpc_python=" + plugin, *map(str, protos)], check=True)
            stamp.touch()
    return str(out)


os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
sys.path.insert(0, make_stubs())
# pylint: disable=wrong-import-position
import grpc  # noqa: E402
from google.rpc import error_details_pb2, status_pb2  # noqa: E402
from sluice.v1 import admin_pb2, admin_pb2_grpc, events_pb2, events_pb2_grpc  # noqa: E402,F401
from sluice.v1 import submission_pb2, submission_pb2_grpc  # noqa: E402


class Client:
    """One API key on one ingest."""

    def __init__(self, address, key):
        options = [("grpc.max_send_message_length", MESSAGE_BYTES), ("grpc.max_receive_message_length", MESSAGE_BYTES)]
        self.channel = grpc.insecure_channel(address, options=options)
        self.metadata = [("authorization", "Bearer " + key)] if key else []
        self.stub = submission_pb2_grpc.SubmissionServiceStub(self.channel)
        self.event_stub = events_pb2_grpc.EventServiceStub(self.channel)

    def submit(self, submission, timeout=30):
        """SubmitResult; raises grpc.RpcError."""
        request = submission_pb2.SubmitRequest(submission=submission)
        return self.stub.Submit(request, metadata=self.metadata, timeout=timeout).result

    def submit_many(self, submissions, frame=50, timeout=120):
        """SubmitOutcome for each, over one stream."""
        submissions = list(submissions)
        frames = [submissions[i:i + frame] for i in range(0, len(submissions), frame)]

        def requests():
            for number, part in enumerate(frames):
                yield submission_pb2.SubmitStreamRequest(frame_id=number, submissions=part)

        answers = {}
        for response in self.stub.SubmitStream(requests(), metadata=self.metadata, timeout=timeout):
            answers[response.frame_id] = list(response.outcomes)
        return [outcome for number in range(len(frames)) for outcome in answers[number]]

    def get_message(self, message_id, timeout=10):
        request = submission_pb2.GetMessageRequest(message_id=message_id, max_events=1000)
        return self.stub.GetMessage(request, metadata=self.metadata, timeout=timeout)

    def cancel(self, message_id, recipients=(), timeout=10):
        request = submission_pb2.CancelRequest(message_id=message_id, recipients=recipients)
        return self.stub.Cancel(request, metadata=self.metadata, timeout=timeout)

    def subscribe(self, timeout=30, **request):
        return self.event_stub.Subscribe(events_pb2.SubscribeRequest(**request), metadata=self.metadata, timeout=timeout)

    def close(self):
        self.channel.close()


def submission(content, to, stream="transactional", return_path="bounce@shop.example", **more):
    """A Submission for one or several addresses."""
    addresses = [to] if isinstance(to, str) else to
    return submission_pb2.Submission(content=content, stream=stream, return_path=return_path,
                                     recipients=[submission_pb2.Recipient(address=a) for a in addresses], **more)


def violations(error):
    """Field → description of a google.rpc.BadRequest in a grpc.RpcError."""
    found = {}
    for key, value in error.trailing_metadata() or ():
        if key != "grpc-status-details-bin":
            continue
        for detail in status_pb2.Status.FromString(value).details:
            bad = error_details_pb2.BadRequest()
            if detail.Unpack(bad):
                found.update({v.field: v.description for v in bad.field_violations})
    return found


def retry_delay(error):
    """Seconds of a google.rpc.RetryInfo, None without one."""
    for key, value in error.trailing_metadata() or ():
        if key != "grpc-status-details-bin":
            continue
        for detail in status_pb2.Status.FromString(value).details:
            retry = error_details_pb2.RetryInfo()
            if detail.Unpack(retry):
                return retry.retry_delay.seconds + retry.retry_delay.nanos * 1e-9
    return None
