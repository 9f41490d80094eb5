#!/usr/bin/env python3
"""Holds the tree to what it promises. Usage: lint.py NAME… (all without). Exit 1 with a line for every finding."""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import coroutines  # noqa: E402
import layers  # noqa: E402
import metrics  # noqa: E402
import peer_tables  # noqa: E402
import policy_docs  # noqa: E402
import rfc_table  # noqa: E402
import size  # noqa: E402
import sleeping  # noqa: E402

LINTS = {"layers": layers, "coroutines": coroutines, "sleeping": sleeping, "metrics": metrics, "peer_tables": peer_tables, "policy_docs": policy_docs, "rfc_table": rfc_table, "size": size}


def main():
    root = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
    wanted = sys.argv[1:] or list(LINTS)
    unknown = [name for name in wanted if name not in LINTS]
    if unknown:
        sys.exit("lint: no lint named %s; there are %s" % (", ".join(unknown), ", ".join(LINTS)))
    found = [line for name in wanted for line in LINTS[name].check(root)]
    for line in found:
        print(line)
    print("lint: %s" % ("ok" if not found else "%d findings" % len(found)))
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
