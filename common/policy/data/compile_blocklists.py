"""blocklists.yaml as the zones that policy/blocklist.h declares."""
import ipaddress
import re

from compile import need, only_keys, text

KEYS = ("zone", "keyed", "of", "ipv6", "use", "listed", "clean", "delist", "codes", "errors")


def number(address, where):
    need(re.fullmatch(r"127\.\d+\.\d+\.\d+", address), "%s: an answer is in 127/8" % where)
    return int(ipaddress.ip_address(address))


def codes(row):
    for key, code in row["codes"].items():
        where = "%s.codes.%s" % (row["zone"], key)
        only_keys(code, ("word", "means", "confirm"), where)
        first, _, last = key.partition("-")
        begin = number(first, where)
        end = begin - begin % 256 + int(last) if last else begin
        need(begin <= end, "%s: the range ends before it begins" % where)
        need(code["confirm"] in (1, 2, 3), "%s.confirm: 1 to 3" % where)
        yield "{%du, %du, %s, %s, %d}" % (begin, end, text(code["word"]), text(code["means"]), code["confirm"])


def lines(row):
    where = row.get("zone", "?")
    only_keys(row, KEYS, where)
    need(row["of"] in ("address", "domain"), "%s.of: address or domain" % where)
    need(row["use"] in ("on", "off", "metric"), '%s.use: "on", "off" or metric' % where)
    need("KEY" in row.get("keyed", "KEY"), "%s.keyed: where does the KEY go?" % where)
    need(row["delist"].startswith("https://"), "%s.delist: an address" % where)
    yield "      {.zone = %s, .keyed = %s, .of_domains = %s, .lists_ipv6 = %s, .use = BlocklistUse::k%s," % (
        text(where), text(row.get("keyed", "")), "true" if row["of"] == "domain" else "false", "true" if row["ipv6"] else "false",
        row["use"].capitalize())
    yield "       .listed = %s, .clean = %s, .delist = %s," % (text(row["listed"]), text(row["clean"]), text(row["delist"]))
    yield "       .codes = {%s}," % ", ".join(codes(row))
    yield "       .errors = {%s}}," % ", ".join("{%du, %s}" % (number(k, where), text(v)) for k, v in row["errors"].items())


def generate(data):
    only_keys(data, ("lists",), "blocklists")
    return """#include "policy/blocklist.h"

namespace sluice {

const std::vector<Blocklist>& ShippedBlocklists() {
  static const std::vector<Blocklist> lists = {
%s
  };
  return lists;
}

}  // namespace sluice
""" % "\n".join(line for row in data["lists"] for line in lines(row))
