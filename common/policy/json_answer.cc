#include "policy/json_answer.h"

#include <algorithm>

namespace sluice {
namespace {

constexpr size_t kMostBytes = 4 << 20;
constexpr int kDeepest = 20;

}  // namespace

absl::StatusOr<nlohmann::json> ParseJsonAnswer(std::string_view text) {
  using Json = nlohmann::json;
  if (text.size() > kMostBytes) return absl::InvalidArgumentError("the answer is too long");
  int depth = 0;
  // What is deeper is dropped as it is read.
  const auto shallow = [&](int at, Json::parse_event_t, Json&) {
    depth = std::max(depth, at);
    return at <= kDeepest;
  };
  Json json = Json::parse(text, shallow, /*allow_exceptions=*/false);
  if (json.is_discarded() || !json.is_object()) return absl::InvalidArgumentError("the answer is no JSON object");
  if (depth > kDeepest) return absl::InvalidArgumentError("the answer is nested too deeply");
  return json;
}

const nlohmann::json* JsonMember(const nlohmann::json& from, const char* name) {
  if (!from.is_object()) return nullptr;
  const auto found = from.find(name);
  return found == from.end() ? nullptr : &*found;
}

std::string JsonText(const nlohmann::json* from, size_t most) {
  return from != nullptr && from->is_string() ? from->get_ref<const std::string&>().substr(0, most) : std::string();
}

}  // namespace sluice
