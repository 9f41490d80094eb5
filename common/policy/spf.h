// Whether a domain's SPF record (RFC 7208) lets an address send: the check that receivers make, for our own sources. Looks up through
// functions, so it is as pure as they are.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

enum class SpfResult {
  kPass,
  kNotPass,    // fail, softfail, neutral: receivers need not believe us.
  kNone,       // No record.
  kBroken,     // permerror: every receiver says so.
  kCannotTell  // DNS failed, or the record uses a macro that only a message has.
};

struct SpfLookups {
  // Absent = DNS failed; empty = there are none.
  using Names = std::function<std::optional<std::vector<std::string>>(const std::string& name)>;
  Names texts, addresses, mx_hosts;
};

struct SpfAnswer {
  SpfResult result = SpfResult::kNone;
  std::string why;     // The term that decided, or what is wrong.
  std::string record;  // Of the domain itself.
};
// `address` in canonical text, `domain` normalised.
SpfAnswer CheckSpf(std::string_view address, const std::string& domain, const SpfLookups& lookups);

}  // namespace sluice
