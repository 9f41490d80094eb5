#!/usr/bin/env python3
"""Makes C++ of the reviewed data: compile.py KIND FOLDER OUT.cc. Refuses rows that are not in order, with their name."""
import importlib
import os
import re
import sys

import yaml

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

SECONDS = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86400}


class Refused(Exception):
    """A row that is not in order."""


def need(condition, message):
    if not condition:
        raise Refused(message)


def only_keys(row, known, where):
    unknown = sorted(set(row) - set(known))
    need(not unknown, "%s: unknown %s; known are %s" % (where, ", ".join(map(str, unknown)), ", ".join(known)))


def text(value):
    """A C++ string literal."""
    escaped = "".join(c if 0x20 <= ord(c) < 0x7f and c not in '"\\' else
                      "".join("\\%03o" % b for b in c.encode()) for c in str(value))
    return '"%s"' % escaped


def rate(value, where):
    found = re.fullmatch(r"(\d+)/(s|min|m|h|d)", str(value))
    need(found and int(found.group(1)) > 0, "%s: write a rate such as 100/min" % where)
    return "Rate{%s, std::chrono::seconds(%d)}" % (found.group(1), SECONDS[found.group(2)])


def seconds(value, where):
    found = re.fullmatch(r"(\d+)(s|m|h|d)", str(value))
    need(found and int(found.group(1)) > 0, "%s: write a duration such as 15m" % where)
    return int(found.group(1)) * SECONDS[found.group(2)]


class Uniques(yaml.SafeLoader):
    """Refuses a key that stands twice in one map, which YAML would take silently."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        doubles = {k for k in keys if keys.count(k) > 1}
        need(not doubles, "line %d: %s stands twice" % (node.start_mark.line + 1, doubles))
        return super().construct_mapping(node, deep)


def read(path):
    with open(path, encoding="utf-8") as file:
        return yaml.load(file, Loader=Uniques)


def provider_names(folder):
    return [row["name"] for row in read(os.path.join(folder, "providers.yaml"))["providers"]]


def main():
    kind, folder, out = sys.argv[1:]
    source = os.path.join(folder, kind + ".yaml")
    generate = importlib.import_module("compile_" + kind).generate
    try:
        code = generate(*([read(source), provider_names(folder)] if kind == "replies" else [read(source)]))
    except Refused as refused:
        sys.exit("%s: %s" % (source, refused))
    with open(out + ".part", "w", encoding="utf-8") as file:
        file.write("// Made from %s; do not edit.\n%s" % (os.path.basename(source), code))
    os.replace(out + ".part", out)


if __name__ == "__main__":
    sys.modules["compile"] = sys.modules["__main__"]
    main()
