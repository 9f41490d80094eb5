"""Tests wait for a condition, never for a time. C++ tests do not sleep at all; scripts only between two looks, in a loop."""
import ast
import re

import tree

CPP_SLEEP = re.compile(r"\b(sleep_for|sleep_until|usleep|nanosleep|sleep)\s*\(")


def cpp(root):
    for path in tree.files(root, ["tests"], tree.CPP):
        if path.startswith("tests/rig/"):  # Programs, not tests.
            continue
        code = tree.code_only(tree.read(root, path))
        for match in CPP_SLEEP.finditer(code):
            yield f"{path}:{tree.line_of(code, match.start())}: {match.group(1)} in a test; wait for the condition"


class Sleeps(ast.NodeVisitor):
    def __init__(self):
        self.loops = 0
        self.lines = []

    def visit_While(self, node):
        self.loops += 1
        self.generic_visit(node)
        self.loops -= 1

    visit_For = visit_While

    def visit_Call(self, node):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name == "sleep" and self.loops == 0:
            self.lines.append(node.lineno)
        self.generic_visit(node)


def python(root):
    for path in tree.files(root, ["tests"], (".py",)):
        if path.startswith("tests/lint/"):
            continue
        sleeps = Sleeps()
        sleeps.visit(ast.parse(tree.read(root, path), path))
        for line in sleeps.lines:
            yield f"{path}:{line}: sleep outside a loop; wait for the condition"


def shell(root):
    for path in tree.files(root, ["tests"], (".sh",)):
        loops = 0
        for number, line in enumerate(tree.read(root, path).split("\n"), 1):
            words = re.findall(r"[\w./-]+", line.split("#", 1)[0])
            loops += words.count("do")
            if "sleep" in words and loops == 0:
                yield f"{path}:{number}: sleep outside a loop; wait for the condition"
            loops -= words.count("done")


def check(root):
    return [*cpp(root), *python(root), *shell(root)]
