"""Every field of the policy document is in deploy/docs/policy.md: `field` in the section of its message."""
import re

import tree

PROTO = "proto/sluice/v1/policy.proto"
DOC = "deploy/docs/policy.md"


def messages(text):
    """Message name to its fields, nested messages by their own name."""
    found, stack = {}, []
    for line in text.splitlines():
        line = line.split("//")[0].strip()
        opened = re.match(r"message (\w+) \{", line)
        if opened:
            stack.append(opened.group(1))
            found[stack[-1]] = []
        elif line.startswith("}") and stack:
            stack.pop()
        elif stack:
            field = re.match(r"(?:optional |repeated )?[\w.<>, ]+ (\w+) = \d+", line)
            if field:
                found[stack[-1]].append(field.group(1))
    return found


def sections(text):
    """Message name to the text under its `### … (Message)` heading, up to the next heading."""
    found = {}
    for part in re.split(r"^#{2,3} ", text, flags=re.M)[1:]:
        heading = part.splitlines()[0]
        for name in re.findall(r"\((\w+(?:, \w+)*)\)\s*$", heading):
            for message in name.split(", "):
                found[message] = part
    return found


def check(root):
    documented = sections(tree.read(root, DOC))
    found = []
    for message, fields in messages(tree.read(root, PROTO)).items():
        if message not in documented:
            found.append(f"{DOC}:1: no section `### … ({message})` for a message of {PROTO}")
            continue
        for field in fields:
            if not re.search(r"`%s`" % field, documented[message]):
                found.append(f"{DOC}:1: `{field}` of {message} is not documented in its section")
    return found
