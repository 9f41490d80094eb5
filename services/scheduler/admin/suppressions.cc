#include "scheduler/admin/suppressions.h"

#include <algorithm>
#include <set>

#include "base/status.h"
#include "base/text.h"
#include "wire/status.h"

namespace sluice::scheduler {
namespace {

constexpr size_t kMostAtOnce = 10'000;
constexpr size_t kMostDetailBytes = 512;
constexpr Duration kIngestPatience = std::chrono::seconds(3);

absl::StatusOr<std::string> Canonical(const std::string& address, const std::string& field) {
  absl::StatusOr<std::string> canonical = SuppressedAddress(address);
  if (canonical.ok()) return canonical;
  return wire::FieldError(field, Cat(Quoted(address), ": ", canonical.status().message()));
}

absl::StatusOr<std::vector<Suppression>> ToAdd(const std::vector<Suppression>& wanted,
                                               Instant now) {
  std::vector<Suppression> add = wanted;
  for (size_t i = 0; i < add.size(); ++i) {
    const std::string path = Cat("add[", i, "]");
    ASSIGN_OR_RETURN(add[i].address, Canonical(add[i].address, path + ".address"));
    if (add[i].detail.size() > kMostDetailBytes) {
      return wire::FieldError(path + ".detail",
                              Cat("is longer than ", kMostDetailBytes, " bytes; shorten it"));
    }
    if (add[i].expires_at && *add[i].expires_at <= now) {
      return wire::FieldError(path + ".expires_at", "has passed; name a later time, or none");
    }
    add[i].created_at = now;
  }
  return add;
}

using Owned = std::vector<std::pair<std::string, std::string>>;
absl::StatusOr<Owned> ToRemove(const std::vector<Suppression>& wanted) {
  Owned remove;
  for (size_t i = 0; i < wanted.size(); ++i) {
    ASSIGN_OR_RETURN(std::string address,
                     Canonical(wanted[i].address, Cat("remove[", i, "].address")));
    remove.emplace_back(wanted[i].tenant, std::move(address));
  }
  return remove;
}

absl::StatusOr<std::vector<std::string>> ToErase(const std::vector<std::string>& wanted) {
  std::vector<std::string> erase;
  for (size_t i = 0; i < wanted.size(); ++i) {
    ASSIGN_OR_RETURN(erase.emplace_back(), Canonical(wanted[i], Cat("erase[", i, "]")));
  }
  return erase;
}

// tenant LF address LF hash in hex: what an address cannot hold parts them.
std::string TokenOf(const storage::StoredSuppression& last) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string token = Cat(last.suppression.tenant, "\n", last.suppression.address, "\n");
  for (const uint8_t byte : last.hash) {
    token += kDigits[byte >> 4];
    token += kDigits[byte & 15];
  }
  return token;
}

absl::StatusOr<storage::SuppressionMark> MarkOf(const std::string& token) {
  storage::SuppressionMark mark;
  if (token.empty()) return mark;
  const size_t first = token.find('\n'), second = token.find('\n', first + 1);
  const absl::Status wrong =
      wire::FieldError("page_token", "is not from an earlier answer; begin without one");
  if (first == std::string::npos || second == std::string::npos ||
      token.size() - second - 1 != 2 * mark.hash.size()) {
    return wrong;
  }
  mark.tenant = token.substr(0, first);
  mark.address = token.substr(first + 1, second - first - 1);
  for (size_t i = 0; i < mark.hash.size(); ++i) {
    const char* digits = token.data() + second + 1 + 2 * i;
    const auto [end, error] = std::from_chars(digits, digits + 2, mark.hash[i], 16);
    if (error != std::errc() || end != digits + 2) return wrong;
  }
  return mark;
}

}  // namespace

absl::Status SuppressionAdmin::CheckTenants(const std::vector<Suppression>& add) {
  std::set<std::string> seen;
  for (size_t i = 0; i < add.size(); ++i) {
    if (add[i].tenant.empty() || !seen.insert(add[i].tenant).second) continue;
    ASSIGN_OR_RETURN(const bool known, knows_tenant_(add[i].tenant));
    if (!known) {
      return wire::FieldError(Cat("add[", i, "].tenant"),
                              Cat("there is no tenant ", Quoted(add[i].tenant),
                                  "; name one of the policy, or none for all"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<SuppressionCounts> SuppressionAdmin::Update(const SuppressionOrder& order) {
  RETURN_IF_ERROR(CheckControlOwner(live_));
  if (order.add.size() + order.remove.size() + order.erase.size() > kMostAtOnce) {
    return wire::FieldError("add", Cat("there are more than ", kMostAtOnce,
                                       " elements together; send them in parts"));
  }
  const Instant now = clock_.Now();
  ASSIGN_OR_RETURN(const std::vector<Suppression> add, ToAdd(order.add, now));
  ASSIGN_OR_RETURN(const Owned remove, ToRemove(order.remove));
  ASSIGN_OR_RETURN(const std::vector<std::string> erase, ToErase(order.erase));
  RETURN_IF_ERROR(CheckTenants(add));
  SuppressionCounts counts;
  const auto run = [&]() -> absl::Status {
    if (!add.empty()) {
      ASSIGN_OR_RETURN(counts.added, store_.Add(add));
    }
    if (!remove.empty()) {
      ASSIGN_OR_RETURN(counts.removed, store_.Remove(remove, now));
    }
    if (!erase.empty()) {
      ASSIGN_OR_RETURN(counts.erased, store_.Erase(erase));
    }
    return absl::OkStatus();
  };
  const absl::Status done = run();
  // Counts only: the audit log must not keep what was erased.
  audit_.Record(order.actor, "UpdateSuppressions",
                Cat("added=", counts.added, " removed=", counts.removed, " erased=", counts.erased),
                done);
  RETURN_IF_ERROR(done);
  if (add.empty() && remove.empty()) return counts;
  // Ingest asks at submit and a scheduler before release: an address let go by the one alone would still end at the other.
  counts.not_acknowledged = live_.AwaitIngests(kIngestPatience);
  for (std::string& id : live_.AwaitSchedulers(kIngestPatience)) counts.not_acknowledged.push_back(std::move(id));
  return counts;
}

absl::StatusOr<SuppressionAdmin::Suppressions> SuppressionAdmin::List(const std::string& tenant,
                                                                      const std::string& address,
                                                                      Page page) {
  RETURN_IF_ERROR(CheckPageSize(page.size, 100, 1'000));
  ASSIGN_OR_RETURN(const storage::SuppressionMark after, MarkOf(page.after));
  std::string canonical;
  if (!address.empty()) {
    ASSIGN_OR_RETURN(canonical, Canonical(address, "address"));
  }
  Suppressions out;
  ASSIGN_OR_RETURN(out.suppressions, store_.List(tenant, canonical, after, page.size));
  if (static_cast<int>(out.suppressions.size()) == page.size) {
    out.next_page_token = TokenOf(out.suppressions.back());
  }
  return out;
}

}  // namespace sluice::scheduler
