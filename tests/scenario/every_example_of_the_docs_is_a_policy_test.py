#!/usr/bin/python3
"""Every YAML block of deploy/docs/policy.md, put beside the whole policy of that page, is applied to a running system and in force when
`sluicectl apply` returns; one with a mistake is refused and changes nothing."""
import pathlib
import re

import yaml

from scenario import Scenario, unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
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


class Examples(Scenario):
    def apply(self, policy):
        return self.trial.local.ctl("apply", "-f", "-", stdin=yaml.safe_dump(policy, sort_keys=False), check=False)

    def revision(self):
        return int(self.trial.local.sql("select max(revision) from policy_revision")[0][0])

    def test_every_example_is_in_force_when_it_is_applied(self):
        self.assertGreater(len(BLOCKS), 15)
        base = yaml.safe_load(BLOCKS[0])
        for block in BLOCKS:
            with self.subTest(block=block):
                part = yaml.safe_load(block)
                before = self.revision()
                result = self.apply(beside(base, part))
                self.assertEqual(result.returncode, 0, result.stderr)
                after = self.revision()
                if block != BLOCKS[0] or before == 1:
                    self.assertEqual(after, before + 1, result.stdout)
                stored = yaml.safe_load(self.trial.local.ctl("get").stdout)
                for key, value in part.items():
                    if isinstance(value, list):
                        self.assertGreaterEqual(len(stored.get(key, [])), len(value), key)

    def test_a_mistake_in_an_example_is_found_and_changes_nothing(self):
        base = yaml.safe_load(BLOCKS[0])
        before = self.revision()
        for mistake in ({"routes": [{"match": {"provider": "google"}, "pool": "nowhere"}]}, {"shaping": [{"match": {}, "conections": 3}]}):
            result = self.apply(beside(base, mistake))
            self.assertEqual(result.returncode, 1, result.stderr)
            self.assertTrue(re.search("nowhere|conections", result.stderr), result.stderr)
        self.assertEqual(self.revision(), before)


if __name__ == "__main__":
    unittest.main()
