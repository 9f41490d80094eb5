// The MTA-STS policies of recipient domains (RFC 8461): looked up, fetched, kept for as long as
// they say and renewed meanwhile. Kept per recipient *domain*, never per MX host. What fails leaves
// the policy that is kept in force; a domain without one is as if it had no MTA-STS.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "net/dns.h"
#include "smtp/mta_sts.h"
#include "smtp/tls_failure.h"

namespace sluice {

struct StsPoliciesOptions {
  std::string ca_file = {};                     // see HttpsFetcherOptions
  int port = 443;                               // another one only for trials
  bool allows_loopback = false;                 // policy hosts on this host; only for trials
  Duration timeout = std::chrono::seconds(20);  // of one fetch
  size_t most_domains = 100'000;                // the longest unused are forgotten
};

// What is known of a domain. Immutable.
struct StsAnswer {
  std::shared_ptr<const StsPolicy> policy;  // null: none is in force
  std::string id;
  // Why the domain's policy, which it announces, is not known.
  TlsFailure failure = TlsFailure::kNone;
  std::string detail;
};

// Gives a document's bytes; a test gives its own. As HttpsFetcher::Fetch.
struct HttpsRequest;
struct HttpsAnswer;
using FetchHttps = std::function<void(HttpsRequest, std::function<void(HttpsAnswer)>)>;

// Thread-safe.
class StsPolicies {
 public:
  using AnswerPtr = std::shared_ptr<const StsAnswer>;
  using Callback = std::function<void(AnswerPtr)>;

  // A TXT record is looked up again after its time to live, within these.
  static constexpr std::chrono::seconds kSoonestCheck{60}, kLatestCheck{3600};
  // A fetch that failed is not tried again for this long (RFC 8461 §3.3).
  static constexpr Duration kFetchPause = std::chrono::minutes(5);

  // All referred to outlive it; `fetch` answers what it was asked before it goes.
  StsPolicies(const StsPoliciesOptions& options, Resolver& resolver, const Clock& clock,
              FetchHttps fetch);
  // Open questions are never answered.
  ~StsPolicies();
  StsPolicies(const StsPolicies&) = delete;
  StsPolicies& operator=(const StsPolicies&) = delete;

  // `domain` in lower-case A-labels. The callback runs once: before this returns when an answer is
  // at hand (a kept policy is, also while it is renewed), else on another thread, where it must not
  // block.
  void Find(std::string_view domain, Callback callback);

 private:
  class State;
  std::shared_ptr<State> state_;  // shared with questions under way
};

}  // namespace sluice
