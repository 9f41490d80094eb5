"""Arrows go one way: services → {storage, wire, telemetry, net} → {policy, smtp} → mail → base (architecture §12)."""
import re

import tree

INNER = {"base": set(), "mail": {"base"}, "policy": {"mail", "base"}, "smtp": {"mail", "base"}}
EDGES = {"storage", "wire", "telemetry", "net"}
SERVICES = {"ingest", "scheduler", "egress", "ctl"}
LIBRARIES = set(INNER) | EDGES

# Third-party headers and the only places that see them.
ONLY_IN = [
    (r"<(pqxx|libpq)", ("common/storage/", "tests/")),
    (r"<asio", ("common/net/", "services/egress/", "tests/")),
    (r"<(grpcpp|grpc)/", ("common/wire/", "services/", "tests/")),
    (r"<prometheus/", ("common/telemetry/",)),
    (r"<unbound\.h", ("common/net/",)),
    (r"<CLI/", ("common/wire/service_main.cc", "services/ctl/app.cc", "tests/rig/")),
    (r"<yaml-cpp/", ("common/base/config.cc", "common/wire/", "tests/")),
    (r"[<\"](sluice/v1/|google/rpc/|google/protobuf/)", ("common/wire/", "services/", "tests/")),
]


def may_use(room):
    if room in INNER:
        return INNER[room] | {room}
    if room in EDGES:
        return set(INNER) | {room}
    # A service uses every library but no other service, and egress no storage.
    return (LIBRARIES | {room}) - ({"storage"} if room in ("egress", "ctl") else set())


def room_of(path):
    parts = path.split("/")
    return parts[1] if len(parts) > 2 else None


def includes(root):
    for path in tree.files(root, ["common", "services"], tree.CPP):
        room = room_of(path)
        text = tree.read(root, path)
        for found in re.finditer(r'^\s*#\s*include\s+"([^"/]+)/', text, re.M):
            target = found.group(1)
            if target in LIBRARIES | SERVICES and target not in may_use(room):
                yield f"{path}:{tree.line_of(text, found.start())}: {room} may not include {target}/"


def third_party(root):
    for path in tree.files(root, ["common", "services", "tests"], tree.CPP):
        text = tree.read(root, path)
        for found in re.finditer(r'^\s*#\s*include\s+([<"][^">]+)', text, re.M):
            for pattern, places in ONLY_IN:
                if re.match(pattern, found.group(1)) and not path.startswith(places):
                    yield (f"{path}:{tree.line_of(text, found.start())}: {found.group(1)[1:]} belongs to "
                           f"{', '.join(places)}")


def links(root):
    for path in tree.files(root, ["common", "services"], ("CMakeLists.txt",)):
        room = room_of(path)
        if room is None:
            continue
        text = tree.read(root, path)
        for found in re.finditer(r"sluice::([a-z]+)\b(?!_)", text):
            target = found.group(1)
            if target in LIBRARIES and target not in may_use(room):
                yield f"{path}:{tree.line_of(text, found.start())}: {room} may not link sluice::{target}"
            if target == "asio" and room not in ("net", "egress"):
                yield f"{path}:{tree.line_of(text, found.start())}: {room} may not link sluice::asio"


def check(root):
    return [*includes(root), *third_party(root), *links(root)]
