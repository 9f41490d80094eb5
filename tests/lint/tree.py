"""The tree as the lints see it. A finding is "path:line: what"; a lint is a function from a root to its findings."""
import os
import re

CPP = (".h", ".cc")


def files(root, tops, endings):
    """Paths below the given folders, relative to the root, sorted."""
    for top in tops:
        for folder, below, names in os.walk(os.path.join(root, top)):
            below[:] = sorted(d for d in below if d not in ("build", "__pycache__") and not d.startswith("."))
            for name in sorted(names):
                if name.endswith(endings):
                    yield os.path.relpath(os.path.join(folder, name), root)


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


_NOT_CODE = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<mark>[^(\s]*)\(.*?\)(?P=mark)"|"(?:\\.|[^"\\\n])*"|(?<![0-9A-Fa-f])\'(?:\\.|[^\'\\\n])+\'', re.S)


def code_only(text):
    """C++ with comments and literals blanked out, every character still at its place."""
    return _NOT_CODE.sub(lambda m: re.sub(r"[^\n]", " ", m.group(0)), text)
