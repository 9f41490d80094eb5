#include "net/sts_policies.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <list>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/text.h"
#include "net/https_fetch.h"

namespace sluice {
namespace {

constexpr Duration kFailedCheckPause = std::chrono::minutes(1);

bool IsLoopback(const std::string& address) {
  return address.starts_with("127.") || address == "::1" || address == "0.0.0.0" ||
         address == "::" || address.starts_with("::ffff:127.");
}

bool IsTextPlain(std::string_view type) {
  type = type.substr(0, type.find(';'));
  while (type.ends_with(' ')) {
    type.remove_suffix(1);
  }
  constexpr std::string_view kWanted = "text/plain";
  return std::ranges::equal(type, kWanted, [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
  });
}

}  // namespace

// Question by question: TXT record, then the policy host's addresses, then the document.
class StsPolicies::State : public std::enable_shared_from_this<State> {
 public:
  State(StsPoliciesOptions options, Resolver& resolver, const Clock& clock, FetchHttps fetch)
      : options_(std::move(options)),
        resolver_(resolver),
        clock_(clock),
        fetch_(std::move(fetch)) {}

  void Find(std::string_view domain, Callback callback) {
    AnswerPtr at_hand;
    bool must_check = false;
    {
      const std::lock_guard lock(mutex_);
      Page& page = PageOf(domain);
      const SteadyInstant now = clock_.Steady();
      Expire(page, now);
      must_check = !page.is_checking && now >= page.check_at;
      page.is_checking |= must_check;
      if (page.answer->policy != nullptr || !page.is_checking) {
        at_hand = page.answer;
      } else {
        page.waiting.push_back(std::move(callback));
      }
    }
    if (at_hand != nullptr) {
      callback(std::move(at_hand));
    }
    if (must_check) {
      Check(std::string(domain));
    }
  }

  // Nothing is asked or answered any more.
  void Stop() {
    const std::lock_guard lock(mutex_);
    is_stopped_ = true;
    pages_.clear();
    order_.clear();
  }

 private:
  struct Page {
    AnswerPtr answer = std::make_shared<const StsAnswer>();
    SteadyInstant fetched_at{};
    SteadyInstant check_at{};      // when to look at the TXT record again
    SteadyInstant fetch_not_before{};
    bool is_checking = false;
    std::vector<Callback> waiting;
    std::list<std::string>::iterator place;
  };

  // With the mutex held.
  Page& PageOf(std::string_view domain) {
    const auto found = pages_.find(domain);
    if (found != pages_.end()) {
      order_.splice(order_.begin(), order_, found->second.place);
      return found->second;
    }
    while (pages_.size() >= options_.most_domains && !order_.empty()) {
      const auto oldest = pages_.find(order_.back());
      if (oldest->second.is_checking) {
        break;  // someone waits; the cache is a little too large until then
      }
      pages_.erase(oldest);
      order_.pop_back();
    }
    order_.emplace_front(domain);
    Page& page = pages_[order_.front()];
    page.place = order_.begin();
    return page;
  }

  static void Expire(Page& page, SteadyInstant now) {
    const StsAnswer& answer = *page.answer;
    if (answer.policy != nullptr && now >= page.fetched_at + answer.policy->max_age) {
      page.answer = std::make_shared<const StsAnswer>();
    }
  }

  void Check(std::string domain) {
    auto self = shared_from_this();
    const std::string name = Cat("_mta-sts.", domain);
    resolver_.ResolveTxt(name, [self, domain = std::move(domain)](const TextAnswer& answer) {
      self->OnText(domain, answer);
    });
  }

  void OnText(const std::string& domain, const TextAnswer& text) {
    const std::optional<std::string> id = FindStsId(text.texts);
    const bool is_known = text.status != DnsStatus::kTempFail;
    const Duration pause =
        is_known ? Duration(std::clamp(text.ttl, kSoonestCheck, kLatestCheck)) : kFailedCheckPause;
    bool must_fetch = false;
    {
      const std::lock_guard lock(mutex_);
      const auto found = pages_.find(domain);
      if (is_stopped_ || found == pages_.end()) {
        return;
      }
      Page& page = found->second;
      const SteadyInstant now = clock_.Steady();
      page.check_at = now + pause;
      must_fetch = id.has_value() && now >= page.fetch_not_before && IsDue(page, *id, now);
      if (!must_fetch && !id.has_value() && is_known && page.answer->policy == nullptr) {
        page.answer = std::make_shared<const StsAnswer>();
      }
    }
    if (must_fetch) {
      Fetch(domain, *id);
    } else {
      Finish(domain);
    }
  }

  // Another policy is announced, or half of the time of the one we have is over.
  static bool IsDue(const Page& page, const std::string& id, SteadyInstant now) {
    const StsAnswer& answer = *page.answer;
    return answer.policy == nullptr || answer.id != id ||
           now >= page.fetched_at + answer.policy->max_age / 2;
  }

  void Fetch(const std::string& domain, const std::string& id) {
    auto self = shared_from_this();
    const std::string host = Cat("mta-sts.", domain);
    resolver_.ResolveAddresses(
        host, AddressFamily::kIpv4First, [self, domain, id, host](const AddressAnswer& answer) {
          HttpsRequest request{host, self->options_.port, "/.well-known/mta-sts.txt",
                               answer.addresses};
          if (!self->options_.allows_loopback) {
            std::erase_if(request.addresses, IsLoopback);
          }
          if (request.addresses.empty()) {
            return self->Failed(domain, TlsFailure::kStsPolicyFetchError,
                                Cat(host, " has no address"));
          }
          self->fetch_(std::move(request), [self, domain, id](const HttpsAnswer& document) {
            self->OnDocument(domain, id, document);
          });
        });
  }

  void OnDocument(const std::string& domain, const std::string& id, const HttpsAnswer& document) {
    if (document.status.code() == absl::StatusCode::kFailedPrecondition) {
      return Failed(domain, TlsFailure::kStsWebpkiInvalid, View(document.status.message()));
    }
    if (!document.status.ok()) {
      return Failed(domain, TlsFailure::kStsPolicyFetchError, View(document.status.message()));
    }
    if (!IsTextPlain(document.content_type)) {
      return Failed(domain, TlsFailure::kStsPolicyFetchError,
                    Cat("its type is ", Quoted(document.content_type), ", not text/plain"));
    }
    const auto policy = ParseStsPolicy(document.body);
    if (!policy.ok()) {
      return Failed(domain, TlsFailure::kStsPolicyInvalid, View(policy.status().message()));
    }
    auto answer = std::make_shared<StsAnswer>();
    answer->policy = std::make_shared<const StsPolicy>(*policy);
    answer->id = id;
    {
      const std::lock_guard lock(mutex_);
      if (const auto found = pages_.find(domain); found != pages_.end()) {
        found->second.answer = std::move(answer);
        found->second.fetched_at = clock_.Steady();
      }
    }
    Finish(domain);
  }

  void Failed(const std::string& domain, TlsFailure failure, std::string_view detail) {
    {
      const std::lock_guard lock(mutex_);
      if (const auto found = pages_.find(domain); found != pages_.end()) {
        Page& page = found->second;
        page.fetch_not_before = clock_.Steady() + kFetchPause;
        auto answer = std::make_shared<StsAnswer>(*page.answer);
        answer->failure = failure;
        answer->detail = detail;
        page.answer = std::move(answer);
      }
    }
    Finish(domain);
  }

  void Finish(const std::string& domain) {
    std::vector<Callback> waiting;
    AnswerPtr answer;
    {
      const std::lock_guard lock(mutex_);
      const auto found = pages_.find(domain);
      if (is_stopped_ || found == pages_.end()) {
        return;
      }
      found->second.is_checking = false;
      waiting = std::move(found->second.waiting);
      found->second.waiting.clear();
      answer = found->second.answer;
    }
    for (const Callback& callback : waiting) {
      callback(answer);
    }
  }

  const StsPoliciesOptions options_;
  Resolver& resolver_;
  const Clock& clock_;
  const FetchHttps fetch_;
  std::mutex mutex_;
  bool is_stopped_ = false;
  std::unordered_map<std::string, Page, StringHash, std::equal_to<>> pages_;
  std::list<std::string> order_;  // domains, the last used first
};

StsPolicies::StsPolicies(const StsPoliciesOptions& options, Resolver& resolver, const Clock& clock,
                         FetchHttps fetch)
    : state_(std::make_shared<State>(options, resolver, clock, std::move(fetch))) {}

StsPolicies::~StsPolicies() { state_->Stop(); }

void StsPolicies::Find(std::string_view domain, Callback callback) {
  state_->Find(domain, std::move(callback));
}

}  // namespace sluice
