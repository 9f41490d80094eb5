#include <yaml-cpp/yaml.h>

#include <set>

#include "base/status.h"
#include "base/text.h"
#include "rig/command.h"
#include "rig/script.h"

namespace sluice::rig {
namespace {

// Everything said about a node carries the script's name and the node's line.
absl::Status Wrong(std::string_view name, const YAML::Node& node, std::string_view what) {
  return absl::InvalidArgumentError(Cat(name, ":", node.Mark().line + 1, ": ", what));
}

struct Reader {
  std::string_view name;

  absl::Status Keys(const YAML::Node& map, const std::set<std::string>& known,
                    std::string_view what) const {
    if (!map.IsMap()) return Wrong(name, map, Cat(what, " must be a map"));
    for (const auto& pair : map) {
      if (!pair.first.IsScalar() || !known.contains(pair.first.Scalar())) {
        std::string list;
        for (const std::string& key : known) Append(list, list.empty() ? "" : ", ", key);
        return Wrong(name, pair.first, Cat("unknown key in ", what, "; known: ", list));
      }
    }
    return absl::OkStatus();
  }
  absl::Status Text(const YAML::Node& node, std::string& out) const {
    if (!node) return absl::OkStatus();
    if (!node.IsScalar()) return Wrong(name, node, "a word is wanted here");
    out = node.Scalar();
    return absl::OkStatus();
  }
  absl::Status Number(const YAML::Node& node, uint64_t& out) const {
    if (!node) return absl::OkStatus();
    const auto value = node.IsScalar() ? ParseNumber(node.Scalar()) : std::nullopt;
    if (!value || *value == 0) return Wrong(name, node, "a whole number above 0 is wanted here");
    out = *value;
    return absl::OkStatus();
  }
  absl::Status Time(const YAML::Node& node, Duration& out) const {
    if (!node) return absl::OkStatus();
    const auto value = ParseDuration(node.IsScalar() ? node.Scalar() : "");
    if (!value.ok()) return Wrong(name, node, View(value.status().message()));
    out = *value;
    return absl::OkStatus();
  }
};

absl::Status ParseDrop(const Reader& reader, const YAML::Node& node, Stage stage, Action& action) {
  std::string word;
  RETURN_IF_ERROR(reader.Text(node, word));
  if (word == "close" || word == "true") {
    action.drop = Drop::kClose;
  } else if (word == "reset") {
    action.drop = Drop::kReset;
  } else if (word == "after") {
    action.drop = Drop::kAfter;
  } else if (word == "mid_data" && stage == Stage::kData) {
    action.drop = Drop::kMidData;
  } else {
    return Wrong(reader.name, node, "drop is close, reset, after, or (at stage data) mid_data");
  }
  return absl::OkStatus();
}

absl::Status SetReply(const Reader& reader, const YAML::Node& node, const std::string& text,
                      Action& action) {
  auto wire = ReplyToWire(text);
  if (!wire.ok()) return Wrong(reader.name, node, View(wire.status().message()));
  action.reply = *std::move(wire);
  action.code =
      static_cast<int>(ParseNumber(std::string_view(action.reply).substr(0, 3)).value_or(0));
  return absl::OkStatus();
}

// `"451 text"`, `close`, `reset`, or a map.
absl::StatusOr<Action> ParseAction(const Reader& reader, const YAML::Node& node, Stage stage) {
  Action action;
  if (node.IsScalar()) {
    if (node.Scalar() == "close" || node.Scalar() == "reset") {
      RETURN_IF_ERROR(ParseDrop(reader, node, stage, action));
    } else {
      RETURN_IF_ERROR(SetReply(reader, node, node.Scalar(), action));
    }
    return action;
  }
  RETURN_IF_ERROR(reader.Keys(
      node, {"reply", "raw", "delay", "drip", "drop", "after_bytes", "handshake"}, "a stage"));
  std::string reply, raw, handshake;
  RETURN_IF_ERROR(reader.Text(node["reply"], reply));
  RETURN_IF_ERROR(reader.Text(node["raw"], raw));
  RETURN_IF_ERROR(reader.Text(node["handshake"], handshake));
  RETURN_IF_ERROR(reader.Time(node["delay"], action.delay));
  RETURN_IF_ERROR(reader.Time(node["drip"], action.drip));
  RETURN_IF_ERROR(reader.Number(node["after_bytes"], action.after_bytes));
  if (!reply.empty()) RETURN_IF_ERROR(SetReply(reader, node["reply"], reply, action));
  if (!raw.empty()) {
    action.reply = raw;
    action.code = static_cast<int>(ParseNumber(raw.substr(0, 3)).value_or(500));
  }
  if (node["drop"]) RETURN_IF_ERROR(ParseDrop(reader, node["drop"], stage, action));
  if (!handshake.empty()) {
    if (handshake != "bad" || stage != Stage::kStartTls) {
      return Wrong(reader.name, node["handshake"],
                   "the only handshake is 'bad', at stage starttls");
    }
    action.bad_handshake = true;
  }
  return action;
}

absl::Status ParseWithout(const Reader& reader, const YAML::Node& list, Extensions& kept) {
  if (!list.IsSequence()) return Wrong(reader.name, list, "without takes a list of extensions");
  const std::pair<std::string_view, bool*> known[] = {{"PIPELINING", &kept.pipelining},
                                                      {"CHUNKING", &kept.chunking},
                                                      {"SIZE", &kept.size},
                                                      {"8BITMIME", &kept.eight_bit},
                                                      {"SMTPUTF8", &kept.smtputf8},
                                                      {"ENHANCEDSTATUSCODES", &kept.enhanced_codes},
                                                      {"DSN", &kept.dsn},
                                                      {"STARTTLS", &kept.starttls},
                                                      {"EHLO", &kept.ehlo}};
  for (const auto& item : list) {
    bool found = false;
    for (const auto& [word, flag] : known) {
      if (item.IsScalar() && EqualsIgnoreCase(item.Scalar(), word)) {
        *flag = false;
        found = true;
      }
    }
    if (!found) {
      return Wrong(reader.name, item,
                   "unknown extension; known: PIPELINING, CHUNKING, SIZE, 8BITMIME, SMTPUTF8, "
                   "ENHANCEDSTATUSCODES, DSN, STARTTLS, EHLO");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Recurrence::Per> ParsePer(const Reader& reader, const YAML::Node& node) {
  std::string word = "rule";
  RETURN_IF_ERROR(reader.Text(node, word));
  if (word == "rule") return Recurrence::Per::kRule;
  if (word == "recipient") return Recurrence::Per::kRecipient;
  if (word == "domain") return Recurrence::Per::kDomain;
  if (word == "source") return Recurrence::Per::kSource;
  if (word == "connection") return Recurrence::Per::kConnection;
  return Wrong(reader.name, node, "per is rule, recipient, domain, source or connection");
}

absl::Status ParseRecurrence(const Reader& reader, const YAML::Node& node, Rule& rule) {
  uint64_t first = 0;
  uint64_t every = 0;
  double probability = 1;
  RETURN_IF_ERROR(reader.Number(node["first"], first));
  RETURN_IF_ERROR(reader.Number(node["every"], every));
  if (const YAML::Node p = node["probability"]) {
    if (!p.IsScalar() || !YAML::convert<double>::decode(p, probability) || !(probability > 0) ||
        probability > 1) {
      return Wrong(reader.name, p, "probability is a number above 0 and up to 1");
    }
  }
  ASSIGN_OR_RETURN(const auto per, ParsePer(reader, node["per"]));
  rule.recurrence = std::make_unique<Recurrence>(first, every, probability, per);
  return absl::OkStatus();
}

absl::Status ParseMatch(const Reader& reader, const YAML::Node& match, Rule& rule) {
  if (!match) return absl::OkStatus();
  RETURN_IF_ERROR(reader.Keys(match, {"listener", "source", "domain", "local"}, "match"));
  RETURN_IF_ERROR(reader.Text(match["listener"], rule.listener));
  RETURN_IF_ERROR(reader.Text(match["source"], rule.source));
  RETURN_IF_ERROR(reader.Text(match["domain"], rule.domain));
  RETURN_IF_ERROR(reader.Text(match["local"], rule.local));
  rule.by_recipient = match["domain"] || match["local"];
  return absl::OkStatus();
}

absl::Status ParseStages(const Reader& reader, const YAML::Node& node, Rule& rule) {
  for (size_t i = 0; i < kStageCount; ++i) {
    const YAML::Node stage = node[std::string(kStageNames[i])];
    if (!stage) continue;
    if (rule.by_recipient && i < static_cast<size_t>(Stage::kRcpt)) {
      return Wrong(reader.name, stage,
                   Cat("at stage ", kStageNames[i],
                       " no recipient is known: match by "
                       "listener or source, or act at rcpt, data or dot"));
    }
    ASSIGN_OR_RETURN(rule.actions[i], ParseAction(reader, stage, static_cast<Stage>(i)));
  }
  return absl::OkStatus();
}

absl::StatusOr<Rule> ParseRule(const Reader& reader, const YAML::Node& node, size_t number) {
  std::set<std::string> known = {"name", "match",       "first",   "every",
                                 "per",  "probability", "without", "messages_per_connection"};
  for (const std::string_view stage : kStageNames) known.emplace(stage);
  RETURN_IF_ERROR(reader.Keys(node, known, "a rule"));
  Rule rule;
  rule.name = Cat("rule ", number);
  RETURN_IF_ERROR(reader.Text(node["name"], rule.name));
  RETURN_IF_ERROR(ParseMatch(reader, node["match"], rule));
  RETURN_IF_ERROR(ParseRecurrence(reader, node, rule));
  RETURN_IF_ERROR(ParseStages(reader, node, rule));
  if (const YAML::Node without = node["without"]) {
    RETURN_IF_ERROR(ParseWithout(reader, without, rule.without));
  }
  RETURN_IF_ERROR(reader.Number(node["messages_per_connection"], rule.messages_per_connection));
  if (rule.by_recipient && (node["without"] || rule.messages_per_connection > 0)) {
    return Wrong(reader.name, node,
                 "'without' and 'messages_per_connection' hold for a connection: match by "
                 "listener or source only");
  }
  return rule;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Script>> Script::Parse(std::string_view yaml,
                                                            std::string_view name) {
  auto script = std::make_shared<Script>();
  const Reader reader{name};
  try {
    const YAML::Node root = YAML::Load(std::string(yaml));
    if (root.IsNull()) return script;
    RETURN_IF_ERROR(reader.Keys(root, {"rules"}, "the script"));
    const YAML::Node rules = root["rules"];
    if (rules && !rules.IsSequence()) return Wrong(name, rules, "rules must be a list");
    for (const auto& node : rules) {
      ASSIGN_OR_RETURN(Rule rule, ParseRule(reader, node, script->rules_.size() + 1));
      script->rules_.push_back(std::move(rule));
    }
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(Cat(name, ":", error.mark.line + 1, ": ", error.msg));
  }
  return script;
}

}  // namespace sluice::rig
