"""The table of what the RFCs ask (tests/README.md) names tests that exist: dialogs, scenarios, unit tests, fuzzers. `…` stands for the
rest of a name."""
import os
import re

import tree

PAGE = "tests/README.md"
KINDS = {"D": ("tests/dialogs/cases", ".dialog"), "S": ("tests/scenario", "_test.py"), "U": ("tests", ".cc"), "F": ("tests/fuzz", "_fuzz.cc")}
TOKEN = re.compile(r"\b(D|S|U|F|fuzz)(?= (?:`|cases))|`([^`]+)`|\b([A-Z][a-z0-9]+(?:[A-Z][a-z0-9]*)+…?)")


def stems(root, kind):
    folder, ending = KINDS[kind]
    return {os.path.basename(path)[:-len(ending)] for path in tree.files(root, [folder], (ending,))}


def is_known(name, known):
    pattern = ".*".join(re.escape(part) for part in name.split("…"))
    return any(re.fullmatch(pattern, n) for n in known) if "…" in name else name in known


def rows(text):
    """(line, last column) of each row of a table."""
    for number, line in enumerate(text.split("\n"), 1):
        cells = [c.strip() for c in re.split(r"(?<!\\)\|", line)]
        if line.startswith("| ") and len(cells) == 5 and cells[1] not in ("---", "RFC, section", "section"):
            yield number, cells[3]


def check(root):
    if not os.path.exists(os.path.join(root, PAGE)):
        return
    text = tree.read(root, PAGE)
    known = {kind: stems(root, kind) for kind in KINDS}
    names = set(re.findall(r"\bTEST(?:_[FP])?\(\s*(\w+),\s*(\w+)\)", "".join(
        tree.read(root, path) for path in tree.files(root, ["tests"], (".cc",)))))
    tests = {name for pair in names for name in pair}
    for number, cell in rows(text[text.find("\n## What the RFCs ask"):] if "\n## What the RFCs ask" in text else ""):
        number += text[:text.find("\n## What the RFCs ask")].count("\n")
        if not cell:
            yield f"{PAGE}:{number}: nothing shows it; name a test, or say why there is none"
        kind = None
        for letter, name, test in TOKEN.findall(cell):
            if letter:
                kind = "F" if letter == "fuzz" else letter
            elif test and not is_known(test, tests):
                yield f"{PAGE}:{number}: no test is named {test}"
            elif name and kind and not is_known(name, known[kind]) and not re.fullmatch(r"[a-z]+:", name):
                yield f"{PAGE}:{number}: {kind} `{name}` does not exist"
