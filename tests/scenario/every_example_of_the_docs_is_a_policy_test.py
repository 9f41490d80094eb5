#!/usr/bin/python3
"""Every YAML block of deploy/docs/policy.md, put beside the whole policy of that page, is taken by `sluicectl validate`; and a field
that does not exist is not, so that the test can fail."""
import os
import pathlib
import re
import subprocess
import unittest

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CTL = pathlib.Path(os.environ.get("SLUICE_BIN") or ROOT / "build/debug/bin") / "sluicectl"
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "deploy/docs/policy.md").read_text(), re.M | re.S)


def beside(base, part):
    """`base` with the lists of `part` in front; what has a name replaces its namesake."""
    out = dict(base)
    for key, value in part.items():
        old = base.get(key)
        if not isinstance(value, list) or not old:
            out[key] = value
            continue
        names = {item["name"] for item in value if isinstance(item, dict) and "name" in item}
        out[key] = value + [item for item in old if not (isinstance(item, dict) and item.get("name") in names)]
    return out


def validate(policy):
    return subprocess.run([str(CTL), "validate", "-f", "-"], input=yaml.safe_dump(policy, sort_keys=False), text=True,
                          capture_output=True, check=False)


class Examples(unittest.TestCase):
    def test_every_example_is_taken(self):
        self.assertGreater(len(BLOCKS), 15)
        base = yaml.safe_load(BLOCKS[0])
        for block in BLOCKS:
            with self.subTest(block=block):
                result = validate(beside(base, yaml.safe_load(block)))
                self.assertEqual(result.returncode, 0, result.stderr)

    def test_a_mistake_in_an_example_is_found(self):
        base = yaml.safe_load(BLOCKS[0])
        for mistake in ({"routes": [{"match": {"provider": "google"}, "pool": "nowhere"}]}, {"shaping": [{"match": {}, "conections": 3}]}):
            result = validate(beside(base, mistake))
            self.assertEqual(result.returncode, 1, result.stderr)
            self.assertTrue(re.search("nowhere|conections", result.stderr), result.stderr)


if __name__ == "__main__":
    unittest.main()
