#!/usr/bin/python3
"""Compares what sluice-load had accepted with what sluice-sink recorded.

  compare.py --tokens FILE --record FILE [--max-lost N] [--max-duplicated N] [--verbose]

The sink must have recorded at least envelopes; with --recording digest contents are compared too. Prints counts
and, as the last two lines, `lost: N` and `duplicated: N`. Lost: a recipient accepted by Sluice that the sink never
accepted. Duplicated: a recipient that the sink accepted more than once. Damaged: content that is not, from the
token's line on, what was submitted. Unannounced: the sink has it and the generator got no answer (the client died
or gave up); that is no fault. Exits 1 when a bound fails (default 0 and 0) or anything was damaged."""
import argparse
import collections
import json
import sys


def read_tokens(path):
    """(token, recipient) → (size, digest)"""
    accepted = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            token, recipients, size, digest = line.rstrip("\n").split("\t")
            for recipient in filter(None, recipients.split(",")):
                accepted[token, recipient] = (int(size), digest)
    return accepted


def read_record(path):
    """(token, recipient) → the lines that accepted it"""
    received = collections.defaultdict(list)
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            entry = json.loads(line)
            if "token" not in entry or not 200 <= entry["code"] < 300:
                continue
            for recipient in entry["to"]:
                received[entry["token"], recipient].append(entry)
    return received


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tokens", required=True)
    parser.add_argument("--record", required=True)
    parser.add_argument("--max-lost", type=int, default=0)
    parser.add_argument("--max-duplicated", type=int, default=0)
    parser.add_argument("--verbose", action="store_true", help="names up to 20 of each")
    arguments = parser.parse_args()
    accepted, received = read_tokens(arguments.tokens), read_record(arguments.record)
    lost = [key for key in accepted if key not in received]
    duplicated = [key for key, entries in received.items() if len(entries) > 1]
    damaged = [key for key, (size, digest) in accepted.items()
               for entry in received.get(key, ())
               if "suffix_xxh3" in entry and (entry["suffix_size"], entry["suffix_xxh3"]) != (size, digest)]
    unannounced = [key for key in received if key not in accepted]
    if arguments.verbose:
        for what, keys in (("lost", lost), ("damaged", damaged), ("duplicated", duplicated)):
            for key in keys[:20]:
                print(what, *key, *("%(t).3f %(src)s %(reached)s" % e for e in received.get(key, ())))
    print("accepted: %d" % len(accepted))
    print("received: %d" % len(received))
    print("unannounced: %d" % len(unannounced))
    print("damaged: %d" % len(damaged))
    print("lost: %d" % len(lost))
    print("duplicated: %d" % len(duplicated))
    failed = len(lost) > arguments.max_lost or len(duplicated) > arguments.max_duplicated or damaged
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
