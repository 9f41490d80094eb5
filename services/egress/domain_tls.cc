#include "egress/domain_tls.h"

#include <atomic>
#include <utility>

#include "base/text.h"
#include "smtp/tls_report.h"

namespace sluice::egress {
namespace {

std::string KeyOf(const DomainTls& tls) {
  std::string key;
  if (tls.sts != nullptr && tls.sts->policy != nullptr &&
      tls.sts->policy->mode == StsMode::kEnforce) {
    key = "sts";
    for (const std::string& mx : tls.sts->policy->mx) Append(key, " ", mx);
  }
  if (!tls.secure_hosts.empty()) Append(key, key.empty() ? "" : " ", "dane");
  return key;
}

// The answers about one domain; the last one to come tells. Each fills its own fields.
class Question {
 public:
  Question(std::string_view domain, int open_count, DomainTlsFinder::Callback callback)
      : tls_(std::make_shared<DomainTls>()),
        open_count_(open_count),
        callback_(std::move(callback)) {
    tls_->domain = domain;
  }

  DomainTls& tls() { return *tls_; }
  void Answered() {
    if (--open_count_ > 0) return;
    tls_->key = KeyOf(*tls_);
    callback_(std::move(tls_));
  }

 private:
  std::shared_ptr<DomainTls> tls_;
  std::atomic<int> open_count_;
  const DomainTlsFinder::Callback callback_;
};

void TakeMx(DomainTls& tls, const MxAnswer& answer) {
  if (answer.status != DnsStatus::kOk || !answer.is_secure) return;
  for (const MxHost& host : answer.hosts) tls.secure_hosts.push_back(host.name);
}

}  // namespace

void DomainTlsFinder::Find(std::string_view domain, Callback callback) {
  const int count = (sts_ != nullptr ? 2 : 0) + (uses_dane_ ? 1 : 0);
  // One more for ourselves: nobody tells before all are asked.
  auto question = std::make_shared<Question>(domain, count + 1, std::move(callback));
  if (sts_ != nullptr) {
    sts_->Find(domain, [question](StsPolicies::AnswerPtr answer) {
      question->tls().sts = std::move(answer);
      question->Answered();
    });
    resolver_.ResolveTxt(Cat("_smtp._tls.", domain), [question](const TextAnswer& answer) {
      question->tls().report_to = FindReportUris(answer.texts);
      question->Answered();
    });
  }
  if (uses_dane_) {
    resolver_.ResolveMx(domain, [question](const MxAnswer& answer) {
      TakeMx(question->tls(), answer);
      question->Answered();
    });
  }
  question->Answered();
}

}  // namespace sluice::egress
