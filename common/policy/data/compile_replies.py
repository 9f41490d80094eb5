"""replies.yaml as the table that policy/shipped_data.h declares."""
import re

from compile import need, only_keys, rate, seconds, text

SOURCES = ("kumomta", "sisimai", "momentum", "zonemta", "lists", "field", "ours")
CLASSES = {"throttle": "kThrottle", "conn_limit": "kConnLimit", "msg_per_conn": "kMsgPerConn", "greylist": "kGreylist",
           "block_ip": "kBlockIp", "block_domain": "kBlockDomain", "dnsbl": "kDnsbl", "auth": "kAuth", "content": "kContent",
           "policy": "kPolicy", "rcpt_bad": "kRcptBad", "rcpt_quota": "kRcptQuota", "rcpt_rate": "kRcptRate",
           "remote_sys": "kRemoteSys", "our_bug": "kOurBug"}
SCOPES = {"source_provider": "kSourceProvider", "source": "kSource", "sender_provider": "kSenderProvider", "sender": "kSender",
          "recipient": "kRecipient", "recipient_org": "kRecipientOrg", "message": "kMessage", "connection": "kConnection"}
STAGES = {"connect": "kConnect", "banner": "kBanner", "ehlo": "kEhlo", "mail": "kMail", "rcpt": "kRcpt", "data": "kData", "body": "kBody"}
DURATIONS = {"for": "lasts", "suspend": "suspend", "then_suspend": "then_suspend", "pause_warmup": "pause_warmup",
             "retry_after": "retry_after"}
NUMBERS = ("connections", "messages_per_connection", "regress")
FLAGS = ("suppress", "check_blocklists")
# In the order of the fields of ReplyReaction.
FIELDS = ("when", "slow_to", "rate", "connections", "messages_per_connection", "lasts", "suspend", "then_suspend", "regress",
          "pause_warmup", "retry_after", "suppress", "check_blocklists", "alert")


def reaction(row, where):
    only_keys(row, ("when", "slow_to", "rate", *NUMBERS, *DURATIONS, *FLAGS, "alert"), where)
    fields = {}
    for key in ("when", "rate"):
        if key in row:
            fields[key] = rate(str(row[key]).replace("k/", "000/"), "%s.%s" % (where, key))
    if "slow_to" in row:
        need(0 < row["slow_to"] < 1, "%s.slow_to: write a share between 0 and 1" % where)
        fields["slow_to"] = repr(row["slow_to"])
    for key in NUMBERS:
        if key in row:
            need(isinstance(row[key], int) and row[key] > 0, "%s.%s: write a number from 1" % (where, key))
            fields[key] = str(row[key])
    for key, name in DURATIONS.items():
        if key in row:
            fields[name] = "std::chrono::seconds(%d)" % seconds(row[key], "%s.%s" % (where, key))
    for key in FLAGS:
        if key in row:
            need(row[key] is True, "%s.%s: write true or leave it out" % (where, key))
            fields[key] = "true"
    limits = [k for k in ("slow_to", "rate", "connections", "messages_per_connection") if k in row]
    need(bool(limits) == ("for" in row), "%s: a limit has its `for`, and `for` its limit" % where)
    if "alert" in row:
        fields["alert"] = text(row["alert"])
    return "{%s}" % ", ".join(".%s = %s" % (key, fields[key]) for key in FIELDS if key in fields)


def codes(value, where):
    found = re.fullmatch(r"[45]xx|[45]\d\d", str(value))
    need(found, "%s.codes: write 4xx, 5xx or a code" % where)
    return (int(value[0]) * 100, int(value[0]) * 100 + 99) if str(value).endswith("xx") else (int(value), int(value))


def line(row, providers):
    name = row.get("name", "")
    need(re.fullmatch(r"[a-z0-9_]{1,48}", name), "%r is no name of a rule" % name)
    only_keys(row, ("name", "providers", "pattern", "codes", "stages", "class", "scope", "defer", "do", "from", "example"), name)
    named = row["providers"]
    unknown = [p for p in named if p not in providers]
    need(named == ["any"] or not unknown, "%s: providers.yaml has no %s" % (name, ", ".join(unknown)))
    need(row["class"] in CLASSES and row["scope"] in SCOPES, "%s: class or scope is no known word" % name)
    need(row["from"] and all(s in SOURCES for s in row["from"]), "%s: name its sources" % name)
    need(row.get("example"), "%s: stands without an example" % name)
    first, last = codes(row["codes"], name) if "codes" in row else (400, 599)
    stages = row.get("stages")
    need(not stages or all(s in STAGES for s in stages), "%s.stages: write %s" % (name, ", ".join(STAGES)))
    bits = " | ".join("StageBit(Stage::%s)" % STAGES[s] for s in stages) if stages else "0xffff"
    return """    {.name = %s, .providers = %s,
     .pattern = %s,
     .code_from = %d, .code_to = %d, .stages = %s,
     .reply_class = ReplyClass::%s, .scope = ReplyScope::%s, .defer = %s,
     .reaction = %s,
     .sources = %s,
     .example = %s},""" % (text(name), text("" if named == ["any"] else " ".join(named)), text(row["pattern"]), first, last, bits,
                           CLASSES[row["class"]], SCOPES[row["scope"]], str(bool(row.get("defer"))).lower(),
                           reaction(row["do"], name + ".do"), text(" ".join(row["from"])), text(row["example"]))


def generate(data, providers):
    only_keys(data, ("replies",), "replies.yaml")
    names = [row.get("name") for row in data["replies"]]
    doubles = {n for n in names if names.count(n) > 1}
    need(not doubles, "stands twice: %s" % ", ".join(doubles))
    lines = [line(row, providers) for row in data["replies"]]
    return """#include <array>

#include "policy/shipped_data.h"

namespace sluice {
namespace {

constexpr std::array<ShippedReply, %d> kReplies = {{
%s
}};

}  // namespace

std::span<const ShippedReply> ShippedReplies() { return kReplies; }

}  // namespace sluice
""" % (len(lines), "\n".join(lines))
