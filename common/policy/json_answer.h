// JSON that a server answered with: any bytes may come, so it is bounded in length and depth. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace sluice {

// An object of at most 4 MB, nested at most 20 deep.
absl::StatusOr<nlohmann::json> ParseJsonAnswer(std::string_view text);
// Null = `from` is no object, or has no such member.
const nlohmann::json* JsonMember(const nlohmann::json& from, const char* name);
// Empty = null, or no string; at most `most` bytes of it.
std::string JsonText(const nlohmann::json* from, size_t most = 200);

}  // namespace sluice
