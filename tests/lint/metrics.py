"""Each metric in code is described in deploy/docs/metrics.md, each one described there exists, and what dashboards and alerts
ask for exists, too. Each alert has a link into the runbook, and it leads to a heading there."""
import os
import re

import tree

DOC = "deploy/docs/metrics.md"
IN_CODE = re.compile(r'"(sluice_[a-z0-9_]+_(?:total|seconds|count|info))"')
IN_DOC = re.compile(r"^\| `(sluice_[a-z0-9_]+)`", re.M)


def in_code(root):
    names = {}
    for path in tree.files(root, ["common", "services"], tree.CPP):
        text = tree.read(root, path)
        for match in IN_CODE.finditer(text):
            names.setdefault(match.group(1), f"{path}:{tree.line_of(text, match.start())}")
    return names


def runbook_links(root):
    found = []
    for path in tree.files(root, ["deploy"], (".yml", ".rules")):
        text = tree.read(root, path)
        for alert in re.finditer(r"- alert: (\w+)\n(.*?)(?=\n\s*- alert:|\Z)", text, re.S):
            where = f"{path}:{tree.line_of(text, alert.start())}"
            link = re.search(r'runbook: "([^"#]+)#([^"]+)"', alert.group(2))
            if not link:
                found.append(f"{where}: alert {alert.group(1)} has no link into the runbook")
                continue
            page = link.group(1)
            text_of_page = tree.read(root, page) if os.path.exists(os.path.join(root, page)) else ""
            headings = {h.strip().lower().replace(" ", "-") for h in re.findall(r"^#+ (.+)$", text_of_page, re.M)}
            if link.group(2) not in headings:
                found.append(f"{where}: {page} has no heading '{link.group(2)}'")
    return found


def check(root):
    code = in_code(root)
    if not os.path.exists(os.path.join(root, DOC)):
        return [f"{DOC}:1: is missing"] if code else []
    text = tree.read(root, DOC)
    documented = {m.group(1): tree.line_of(text, m.start()) for m in IN_DOC.finditer(text)}
    found = [f"{where}: {name} is not described in {DOC}" for name, where in sorted(code.items()) if name not in documented]
    found += [f"{DOC}:{line}: there is no metric {name}" for name, line in sorted(documented.items()) if name not in code]
    for path in tree.files(root, ["deploy"], (".yaml", ".yml", ".json", ".rules")):
        asked = tree.read(root, path)
        for match in re.finditer(r"\bsluice_[a-z0-9_]+_(?:total|seconds|count|info)(?:_bucket|_sum|_count)?\b", asked):
            name = re.sub(r"(_seconds|_count)_(bucket|sum|count)$", r"\1", match.group(0))
            if name not in code:
                found.append(f"{path}:{tree.line_of(asked, match.start())}: there is no metric {name}")
    return found + runbook_links(root)
