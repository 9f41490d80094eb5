// What the reviewed data in policy/data is compiled into. provider.h and classification.h make something of it; nobody else includes
// this.
#pragma once

#include <span>
#include <string_view>

#include "policy/classification.h"
#include "policy/provider.h"

namespace sluice {

// One MX pattern of providers.yaml.
struct ShippedSuffix {
  std::string_view suffix;
  size_t provider = 0;  // Place in ShippedProviders().
  std::string_view source;
};
std::span<const ShippedSuffix> ShippedSuffixes();

// One row of replies.yaml.
struct ShippedReply {
  std::string_view name;
  std::string_view providers;  // With blanks between; empty = any.
  std::string_view pattern;
  uint16_t code_from = 400, code_to = 599;
  uint16_t stages = 0xffff;  // Of StageBit.
  ReplyClass reply_class = ReplyClass::kUnknown;
  ReplyScope scope = ReplyScope::kMessage;
  bool defer = false;
  ReplyReaction reaction = {};
  std::string_view sources, example;
};
std::span<const ShippedReply> ShippedReplies();

}  // namespace sluice
