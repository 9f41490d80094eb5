#include "policy/postmaster_stats.h"

#include <array>
#include <charconv>
#include <cmath>

#include "base/status.h"
#include "base/text.h"
#include "policy/json_answer.h"

namespace sluice {
namespace {

using Json = nlohmann::json;

constexpr size_t kMostRows = 10'000, kMostPageToken = 4'000, kMostTexts = 1'000;
constexpr int kDeepest = 20;

// {floatValue | doubleValue | intValue, which is a string}; absent = no data.
std::optional<double> ValueOf(const Json* value) {
  if (value == nullptr) return std::nullopt;
  for (const char* name : {"doubleValue", "floatValue", "intValue"}) {
    const Json* one = JsonMember(*value, name);
    if (one == nullptr) continue;
    double out = 0;
    if (one->is_number()) {
      out = one->get<double>();
    } else if (one->is_string()) {
      const std::string text = one->get<std::string>();
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
      if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    } else {
      return std::nullopt;
    }
    return std::isfinite(out) ? std::optional(out) : std::nullopt;
  }
  return std::nullopt;
}

// {stringList: {values: […]}}; those that are no text are left out.
std::vector<std::string> ListOf(const Json* value) {
  std::vector<std::string> out;
  const Json* list = value == nullptr ? nullptr : JsonMember(*value, "stringList");
  const Json* values = list == nullptr ? nullptr : JsonMember(*list, "values");
  if (values == nullptr || !values->is_array()) return out;
  for (const Json& one : *values) {
    if (std::string text = JsonText(&one); !text.empty() && out.size() < kMostTexts) out.push_back(std::move(text));
  }
  return out;
}

std::optional<int> Whole(const Json* from, int least, int most) {
  if (from == nullptr || !from->is_number_integer()) return std::nullopt;
  const int64_t value = from->get<int64_t>();
  return value >= least && value <= most ? std::optional(static_cast<int>(value)) : std::nullopt;
}

std::string DateText(int year, int month, int day) {
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02d-%02d", year, month, day);
  return text.data();
}

std::string DateOf(const Json* date) {
  if (date == nullptr) return {};
  const auto year = Whole(JsonMember(*date, "year"), 1970, 9999), month = Whole(JsonMember(*date, "month"), 1, 12),
             day = Whole(JsonMember(*date, "day"), 1, 31);
  return year && month && day ? DateText(*year, *month, *day) : std::string();
}

Json DateJson(Instant at) {
  const std::chrono::year_month_day date(std::chrono::floor<std::chrono::days>(at));
  return {{"year", static_cast<int>(date.year())}, {"month", static_cast<unsigned>(date.month())}, {"day", static_cast<unsigned>(date.day())}};
}

// A filter; `value` has no quotation mark.
std::string Equals(std::string_view field, std::string_view value) { return Cat(field, " = \"", value, "\""); }

struct ErrorType {
  std::string_view ours, google;
  std::array<std::string_view, 8> reasons;  // Empty ones are none.
};
constexpr std::array<ErrorType, 2> kErrorTypes = {
    {{"rejected", "reject", {"ip_in_rbls", "low_ip_reputation", "low_domain_reputation", "bad_or_missing_ptr_record", "spammy_content",
                             "bad_attachment", "stamp_policy_error", "other"}},
     {"deferred", "temp_fail", {"anomalous_traffic_pattern", "other"}}}};

void FindUnmet(const Json& at, std::string_view name, int depth, std::vector<PostmasterRequirement>& out) {
  if (depth > kDeepest || out.size() >= kMostRows) return;
  if (at.is_array()) {
    for (const Json& one : at) FindUnmet(one, name, depth + 1, out);
  }
  if (!at.is_object()) return;
  std::string own(name);
  for (const char* key : {"requirement", "name", "type"}) {
    if (const std::string said = JsonText(JsonMember(at, key)); !said.empty()) own = said;
  }
  for (const auto& [key, value] : at.items()) {
    if (value.is_string() && (value == "NEEDS_WORK" || value == "NON_COMPLIANT" || value == "FAILED")) {
      out.push_back({own.empty() ? key : own, value.get<std::string>()});
    } else {
      FindUnmet(value, value.is_object() && own.empty() ? std::string_view(key) : std::string_view(own), depth + 1, out);
    }
  }
}

}  // namespace

const std::vector<PostmasterMetric>& PostmasterRates() {
  static const std::vector<PostmasterMetric> metrics = {{"spam_rate", "SPAM_RATE"},
                                                        {"spf", "AUTH_SUCCESS_RATE", Equals("auth_type", "spf")},
                                                        {"dkim", "AUTH_SUCCESS_RATE", Equals("auth_type", "dkim")},
                                                        {"dmarc", "AUTH_SUCCESS_RATE", Equals("auth_type", "dmarc")},
                                                        {"tls", "TLS_ENCRYPTION_RATE", Equals("traffic_direction", "inbound")}};
  return metrics;
}

const std::vector<PostmasterMetric>& PostmasterErrors() {
  static const std::vector<PostmasterMetric> metrics = [] {
    std::vector<PostmasterMetric> out;
    for (const ErrorType& type : kErrorTypes) {
      const std::string of_type = Equals("error_type", type.google);
      out.push_back({std::string(type.ours), "DELIVERY_ERROR_RATE", of_type});
      out.push_back({Cat(type.ours, "_count"), "DELIVERY_ERROR_COUNT", of_type});
      for (const std::string_view reason : type.reasons) {
        if (reason.empty()) break;
        out.push_back({Cat(type.ours, "_", reason), "DELIVERY_ERROR_RATE", Cat(of_type, " AND ", Equals("error_reason", reason))});
      }
    }
    return out;
  }();
  return metrics;
}

const std::vector<PostmasterMetric>& PostmasterLoopIds() {
  static const std::vector<PostmasterMetric> metrics = {{"loop_ids", "FEEDBACK_LOOP_ID"}};
  return metrics;
}

std::vector<PostmasterMetric> PostmasterLoopRates(std::span<const std::string> ids) {
  std::vector<PostmasterMetric> out;
  for (size_t i = 0; i < ids.size(); ++i) out.push_back({Cat("loop_", i), "FEEDBACK_LOOP_SPAM_RATE", Equals("feedback_loop_id", ids[i])});
  return out;
}

std::string PostmasterQuestion(std::span<const PostmasterMetric> metrics, Instant first, Instant last, std::string_view page_token) {
  Json definitions = Json::array();
  for (const PostmasterMetric& metric : metrics) {
    Json one = {{"name", metric.name}, {"baseMetric", {{"standardMetric", metric.standard}}}};
    if (!metric.filter.empty()) one["filter"] = metric.filter;
    definitions.push_back(std::move(one));
  }
  Json question = {{"metricDefinitions", std::move(definitions)},
                   {"timeQuery", {{"dateRanges", {{"dateRanges", Json::array({{{"start", DateJson(first)}, {"end", DateJson(last)}}})}}}}},
                   {"aggregationGranularity", "DAILY"},
                   {"pageSize", 200}};
  if (!page_token.empty()) question["pageToken"] = page_token;
  return question.dump(-1, ' ', false, Json::error_handler_t::replace);
}

absl::StatusOr<PostmasterStats> ParsePostmasterStats(std::string_view text) {
  ASSIGN_OR_RETURN(const Json json, ParseJsonAnswer(text));
  PostmasterStats out;
  out.next_page_token = JsonText(JsonMember(json, "nextPageToken"), kMostPageToken);
  const Json* rows = JsonMember(json, "domainStats");
  if (rows == nullptr) {
    // Nothing at all is said by an empty object; anything else is not what was asked for.
    if (json.empty() || json.contains("nextPageToken")) return out;
    return absl::InvalidArgumentError("the answer has no domainStats");
  }
  if (!rows->is_array() || rows->size() > kMostRows) return absl::InvalidArgumentError("domainStats is no list, or too long");
  for (const Json& row : *rows) {
    const std::string metric = JsonText(JsonMember(row, "metric"));
    const auto value = ValueOf(JsonMember(row, "value"));
    if (metric.empty()) return absl::InvalidArgumentError("a row of domainStats has no metric");
    if (std::vector<std::string> texts = ListOf(JsonMember(row, "value")); !texts.empty()) {
      out.lists.push_back({metric, DateOf(JsonMember(row, "date")), std::move(texts)});
      continue;
    }
    if (!value) {
      ++out.gaps;
      continue;
    }
    out.values.push_back({metric, DateOf(JsonMember(row, "date")), *value});
  }
  return out;
}

const PostmasterValue* LatestPostmasterValue(const PostmasterStats& stats, std::string_view metric) {
  const PostmasterValue* latest = nullptr;
  for (const PostmasterValue& value : stats.values) {
    if (value.metric == metric && (latest == nullptr || value.date > latest->date)) latest = &value;
  }
  return latest;
}

absl::StatusOr<std::vector<PostmasterRequirement>> ParsePostmasterCompliance(std::string_view text) {
  ASSIGN_OR_RETURN(const Json json, ParseJsonAnswer(text));
  std::vector<PostmasterRequirement> unmet;
  FindUnmet(json, "", 0, unmet);
  return unmet;
}

}  // namespace sluice
