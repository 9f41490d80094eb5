"""providers.yaml as the tables that policy/shipped_data.h declares."""
import re

from compile import need, only_keys, rate, text

SOURCES = ("kumomta", "sisimai", "mxsniff", "halon", "momentum", "lists", "field", "ours")
NUMBERS = ("connections", "connections_per_address", "messages_per_connection")
RATES = ("rate", "connection_rate")
TLS = {"off": "kOff", "opportunistic": "kOpportunistic", "required": "kRequired", "verified": "kVerified"}
IPV6 = {"prefer": "kPrefer", "never": "kNever"}
LABEL = r"[a-z0-9_]([a-z0-9_-]*[a-z0-9])?"


def limits(row, where):
    only_keys(row, (*NUMBERS, *RATES, "tls", "ipv6", "per", "from"), where)
    need(row.get("from") in SOURCES, "%s: `from` names the source of the numbers" % where)
    need(row.get("per", "site") == "site", "%s.per: write site or leave it out" % where)
    fields = []
    for key in NUMBERS:
        if key in row:
            need(isinstance(row[key], int) and row[key] > 0, "%s.%s: write a number from 1" % (where, key))
            fields.append(".%s = %d" % (key, row[key]))
    fields += [".%s = %s" % (key, rate(row[key], "%s.%s" % (where, key))) for key in RATES if key in row]
    for key, type_name, words in (("tls", "TlsMode", TLS), ("ipv6", "Ipv6Mode", IPV6)):
        if key in row:
            need(row[key] in words, "%s.%s: write one of %s" % (where, key, ", ".join(words)))
            fields.append(".%s = %s::%s" % (key, type_name, words[row[key]]))
    return "{%s}" % ", ".join(fields)


def suffixes(provider, number, seen):
    for suffix, source in provider["mx"].items():
        where = "%s: %s" % (provider["name"], suffix)
        need(re.fullmatch(r"\.?(\*|%s)(\.(\*|%s))+" % (LABEL, LABEL), suffix),
             "%s: write a host or a suffix in lower case without a final dot" % where)
        need(suffix.count("*") <= 1, "%s: one `*` at most" % where)
        need(source in SOURCES, "%s: name its source" % where)
        need(suffix not in seen, "%s: stands for %s already" % (where, seen.get(suffix)))
        seen[suffix] = provider["name"]
        yield "    {%s, %d, %s}," % (text(suffix), number, text(source))


def provider_line(row):
    shown = limits(row["limits"], row["name"]) if "limits" in row else "{}"
    return "    {.name = %s,\n     .operated_by = %s,\n     .limits = %s,\n     .limits_per_site = %s,\n     .is_disposable = %s}," % (
        text(row["name"]), text(row["operator"]), shown, str(row.get("limits", {}).get("per") == "site").lower(),
        str(bool(row.get("disposable"))).lower())


def generate(data):
    only_keys(data, ("defaults", "providers"), "providers.yaml")
    seen, names, lines, rows = {}, set(), [], []
    for number, row in enumerate(data["providers"]):
        name = row.get("name", "")
        need(re.fullmatch(r"[a-z0-9._-]{1,64}", name) and name != "other", "providers[%d].name: %r is no name" % (number, name))
        need(name not in names, "%s: stands twice" % name)
        names.add(name)
        only_keys(row, ("name", "operator", "mx", "limits", "why", "disposable"), name)
        need(row.get("operator") and row.get("mx"), "%s: needs operator and mx" % name)
        lines.append(provider_line(row))
        rows += suffixes(row, number, seen)
    return """#include <array>

#include "policy/shipped_data.h"

namespace sluice {
namespace {

constexpr ProviderLimits kDefaults = %s;
constexpr std::array<ShippedProvider, %d> kProviders = {{
%s
}};
constexpr std::array<ShippedSuffix, %d> kSuffixes = {{
%s
}};

}  // namespace

std::span<const ShippedProvider> ShippedProviders() { return kProviders; }
std::span<const ShippedSuffix> ShippedSuffixes() { return kSuffixes; }
const ProviderLimits& ShippedDefaults() { return kDefaults; }

}  // namespace sluice
""" % (limits(data["defaults"], "defaults"), len(lines), "\n".join(lines), len(rows), "\n".join(rows))
