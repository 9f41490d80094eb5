// Explains where mail goes and why it waits: gathers policy, constraints, sources and MX, and lets policy/explain.h tell it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "mail/policy_document.h"
#include "net/dns.h"
#include "policy/explain.h"
#include "storage/assignment_store.h"
#include "storage/constraint_store.h"
#include "storage/entry_store.h"
#include "storage/policy_store.h"

namespace sluice::scheduler {

struct ExplainOrder {
  // A message that waits, or 0 and the other fields. With `to`, that recipient of it.
  int64_t message_id = 0;
  std::string tenant, stream, campaign, from, to;
  std::vector<std::pair<std::string, std::string>> tags;
};

struct Explained {
  Explanation explanation;
  int64_t policy_revision = 0;
  std::string recipient, domain, site, provider;
  std::vector<std::string> mx_hosts;
  // No MX host has an address of that family.
  bool lacks_ipv4 = false, lacks_ipv6 = false;
  // Of a real message.
  Instant due_at{};
  int attempts = 0;
  std::string last_source;
};

// Thread-safe. Waits for DNS, a few seconds at most.
class ExplainAdmin {
 public:
  using ParsePolicy = std::function<absl::StatusOr<PolicyDocument>(const std::string& json)>;
  // Warming sources without an allowance at a provider now, and what is known of it.
  using LackingAllowance = std::function<absl::StatusOr<std::map<std::string, std::string>>(std::string_view provider)>;
  // Sources whose path to the domain's site cannot connect, and how long until it is tried again.
  using DownPaths = std::function<std::map<std::string, Duration>(const std::string& domain)>;
  ExplainAdmin(storage::PolicyStore& policies, storage::ConstraintStore& constraints, storage::AssignmentStore& assignments,
               storage::EntryStore& entries, Resolver& resolver, ParsePolicy parse, LackingAllowance lacking, DownPaths down,
               const Clock& clock)
      : policies_(policies),
        constraints_(constraints),
        assignments_(assignments),
        entries_(entries),
        resolver_(resolver),
        parse_(std::move(parse)),
        lacking_(std::move(lacking)),
        down_(std::move(down)),
        clock_(clock) {}

  // INVALID_ARGUMENT: an address or name is wrong. NOT_FOUND: nothing of the message waits. UNAVAILABLE: no MX answer.
  absl::StatusOr<Explained> Explain(const ExplainOrder& order);

 private:
  struct Mail {
    std::string tenant = {}, stream = {}, campaign = {}, sender_domain = {}, domain = {}, tags = {}, held = {};
  };
  absl::StatusOr<Mail> Hypothetical(const ExplainOrder& order, Explained& out);
  absl::StatusOr<Mail> Real(const ExplainOrder& order, Explained& out);
  absl::Status Resolve(const PolicyDocument& policy, const std::string& domain, Explained& out);
  void LookUpFamilies(Explained& out);
  absl::StatusOr<std::vector<SourceNow>> Sources(const Explained& of);

  storage::PolicyStore& policies_;
  storage::ConstraintStore& constraints_;
  storage::AssignmentStore& assignments_;
  storage::EntryStore& entries_;
  Resolver& resolver_;
  const ParsePolicy parse_;
  const LackingAllowance lacking_;
  const DownPaths down_;
  const Clock& clock_;
};

}  // namespace sluice::scheduler
