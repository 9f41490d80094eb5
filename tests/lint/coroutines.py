"""Rule C1: name it before you await it. GCC 12.2 destroys some temporaries twice when they share a full-expression with
co_await: a capturing lambda written in place, and an aggregate temporary. Both get a name of their own first. To a pattern a
class temporary in braces looks like an aggregate: it gets a name, too, or parentheses. So does a plain list in braces."""
import re

import tree

# From co_await to the end of its statement, or to a brace that opens a block.
LAMBDA = re.compile(r"\bco_await\b[^;]*?[(,=]\s*\[[^\]\[;]+\]\s*(?:\(|\{|mutable\b)")
AGGREGATE = re.compile(r"\bco_await\b[^;{]*?[(,]\s*(?:(?:[A-Za-z_]\w*(?:::|<[^;{}()]*>)?)+\s*)?\{(?!\s*\})")


def check(root):
    found = []
    for path in tree.files(root, ["common", "services", "tests"], tree.CPP):
        code = tree.code_only(tree.read(root, path))
        if "co_await" not in code:
            continue
        for pattern, what in ((LAMBDA, "a capturing lambda"), (AGGREGATE, "a temporary in braces")):
            for match in pattern.finditer(code):
                found.append(f"{path}:{tree.line_of(code, match.start())}: {what} in an expression with co_await; "
                             "name it first")
    return found
