// An operator's rule about replies, as a value; policy/classification.h applies it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "mail/disposition.h"

namespace sluice {

// What an operator knows of a server's replies; above the shipped rules.
struct ReplyRule {
  std::string name = {};
  // Empty = any.
  std::vector<std::string> providers = {};
  // RE2 on `code status text` in one line, without regard to case.
  std::string pattern = {};
  int code_from = 400, code_to = 599;
  // Empty = any.
  std::vector<Stage> stages = {};
  ReplyClass reply_class = ReplyClass::kUnknown;
  // Absent = as usual for the class.
  std::optional<ReplyScope> scope = {};
  // kDeferred or kBounced; absent = as class, code and stage say.
  std::optional<Disposition> disposition = {};
  friend bool operator==(const ReplyRule&, const ReplyRule&) = default;
};

}  // namespace sluice
