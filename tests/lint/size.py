"""A file of more than 500 lines has more than one job."""
import tree

MOST_LINES = 500


def check(root):
    found = []
    for path in tree.files(root, ["common", "services", "tests", "deploy"], (*tree.CPP, ".py", ".sh", ".sql", "CMakeLists.txt")):
        lines = tree.read(root, path).count("\n")
        if lines > MOST_LINES:
            found.append(f"{path}:{MOST_LINES + 1}: {lines} lines; split it at {MOST_LINES}")
    return found
