"""health.yaml as the rules that policy/health.h declares."""
import re

from compile import need, only_keys, seconds, text

KEYS = ("name", "of", "signal", "over", "least", "share", "opinion", "providers", "state", "slow_to", "rest", "longest_rest",
        "probe_every", "probes", "remedy")
OF = ("source_provider", "source", "tenant_provider", "domain_provider", "domain")
SIGNALS = ("throttle", "block", "block_everywhere", "bad_recipient", "complaint", "trouble", "sender_refused")
STATES = ("watch", "throttled", "suspended", "quarantined")


def constant(word):
    return "k" + "".join(part.capitalize() for part in word.split("_"))


def check(rule):
    name = rule.get("name", "?")
    only_keys(rule, KEYS, name)
    need(re.fullmatch(r"[a-z_]{1,40}", name), "%s: a name is of lower-case letters and _" % name)
    need(rule.get("of") in OF, "%s.of: write one of %s" % (name, ", ".join(OF)))
    need(rule.get("state") in STATES, "%s.state: write one of %s" % (name, ", ".join(STATES)))
    need(sum(k in rule for k in ("signal", "opinion", "providers")) == 1, "%s: one of signal, opinion, providers" % name)
    if "signal" in rule:
        need(rule["signal"] in SIGNALS, "%s.signal: write one of %s" % (name, ", ".join(SIGNALS)))
        need(all(k in rule for k in ("over", "least", "share")), "%s: a signal needs over, least and share" % name)
    need("share" not in rule or 0 <= rule["share"] <= 1, "%s.share: 0 to 1" % name)
    need("share" not in rule or "providers" not in rule, "%s: share is for a signal or an opinion" % name)
    need(("slow_to" in rule) == (rule["state"] == "throttled"), "%s: slow_to is for throttled, which needs it" % name)
    need(rule.get("remedy"), "%s: what can a person do?" % name)


def row(rule):
    name = rule["name"]
    yield ".name = %s" % text(name)
    yield ".of = HealthOf::%s" % constant(rule["of"])
    if "signal" in rule:
        yield ".signal = HealthSignal::%s" % constant(rule["signal"])
        yield ".over = std::chrono::seconds(%d)" % seconds(rule["over"], name + ".over")
        yield ".least = %d" % rule["least"]
    if "share" in rule:
        yield ".share = %r" % float(rule["share"])
    if "opinion" in rule:
        yield ".opinion = %s" % text(rule["opinion"])
    if "providers" in rule:
        yield ".providers = %d" % rule["providers"]
    yield ".state = HealthState::%s" % constant(rule["state"])
    if "slow_to" in rule:
        yield ".slow_to = %r" % float(rule["slow_to"])
    yield ".rest = std::chrono::seconds(%d)" % seconds(rule["rest"], name + ".rest")
    for key in ("longest_rest", "probe_every"):
        if key in rule:
            yield ".%s = std::chrono::seconds(%d)" % (key, seconds(rule[key], name + "." + key))
    if "probes" in rule:
        yield ".probes = %d" % rule["probes"]
    yield ".remedy = %s" % text(rule["remedy"])


def generate(data):
    only_keys(data, ("rules",), "health")
    names = [rule.get("name") for rule in data["rules"]]
    need(len(set(names)) == len(names), "a rule stands twice")
    for rule in data["rules"]:
        check(rule)
    return """#include "policy/health.h"

namespace sluice {

const std::vector<HealthRule>& ShippedHealthRules() {
  static const std::vector<HealthRule> rules = {
%s
  };
  return rules;
}

}  // namespace sluice
""" % "\n".join("      {%s}," % ", ".join(row(rule)) for rule in data["rules"])
