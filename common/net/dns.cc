#include "net/dns.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>

#include "base/text.h"
#include "net/dns_client.h"
#include "net/dns_records.h"

namespace sluice {
namespace {

// Both families of one host are asked at once; the last answer to come tells.
class AddressQuestion {
 public:
  AddressQuestion(AddressFamily family, size_t rotation, Resolver::AddressCallback callback)
      : family_(family), rotation_(rotation), callback_(std::move(callback)) {
    open_count_ = (wants_a() ? 1 : 0) + (wants_aaaa() ? 1 : 0);
  }

  bool wants_a() const { return family_ != AddressFamily::kIpv6Only; }
  bool wants_aaaa() const { return family_ != AddressFamily::kIpv4Only; }

  void Take(RecordType type, const DnsClient::Records& records, std::chrono::seconds ttl) {
    {
      const std::lock_guard lock(mutex_);
      (type == RecordType::kA ? a_ : aaaa_) = records;
      ttl_ = std::min(ttl_, ttl);
      if (--open_count_ > 0) {
        return;
      }
    }
    AddressAnswer answer = MakeAddressAnswer(family_, a_.get(), aaaa_.get(), rotation_);
    answer.ttl = ttl_;
    callback_(answer);
  }

 private:
  const AddressFamily family_;
  const size_t rotation_;
  const Resolver::AddressCallback callback_;
  std::mutex mutex_;
  int open_count_;
  DnsClient::Records a_, aaaa_;
  std::chrono::seconds ttl_ = std::chrono::seconds::max();
};

std::string NotAName(std::string_view name) { return Cat(Quoted(name), " is not a name"); }

class UnboundResolver final : public Resolver {
 public:
  UnboundResolver(const ResolverOptions& options, const Clock& clock) : client_(options, clock) {}

  absl::Status Start() { return client_.Start(); }

  void ResolveMx(std::string_view domain, MxCallback callback) override {
    const std::string name = NormaliseHostName(domain);
    if (name.empty()) {
      MxAnswer none;
      none.status = DnsStatus::kNxDomain;
      none.detail = Cat(Quoted(domain), " is not a domain name");
      callback(none);
      return;
    }
    client_.Ask(name, RecordType::kMx,
                [name, callback = std::move(callback)](const DnsClient::Records& records,
                                                       std::chrono::seconds ttl) {
                  MxAnswer answer = MakeMxAnswer(name, *records);
                  answer.ttl = ttl;
                  callback(answer);
                });
  }

  void ResolveAddresses(std::string_view host, AddressFamily family,
                        AddressCallback callback) override {
    const std::string name = NormaliseHostName(host);
    if (name.empty()) {
      AddressAnswer none;
      none.status = DnsStatus::kNoData;
      none.detail = Cat(Quoted(host), " is not a host name");
      callback(none);
      return;
    }
    const auto question =
        std::make_shared<AddressQuestion>(family, address_question_count_++, std::move(callback));
    for (const RecordType type : {RecordType::kA, RecordType::kAaaa}) {
      if (type == RecordType::kA ? question->wants_a() : question->wants_aaaa()) {
        client_.Ask(name, type,
                    [question, type](const DnsClient::Records& records, std::chrono::seconds ttl) {
                      question->Take(type, records, ttl);
                    });
      }
    }
  }

  void ResolveTxt(std::string_view text, TextCallback callback) override {
    const std::string name = NormaliseHostName(text);
    if (name.empty()) {
      TextAnswer none;
      none.status = DnsStatus::kNxDomain;
      none.detail = NotAName(text);
      callback(none);
      return;
    }
    client_.Ask(name, RecordType::kTxt,
                [callback = std::move(callback)](const DnsClient::Records& records,
                                                 std::chrono::seconds ttl) {
                  TextAnswer answer = MakeTextAnswer(*records);
                  answer.ttl = ttl;
                  callback(answer);
                });
  }

  void ResolveNames(std::string_view text, NamesCallback callback) override {
    const std::string name = NormaliseHostName(text);
    if (name.empty()) {
      NamesAnswer none;
      none.status = DnsStatus::kNxDomain;
      none.detail = NotAName(text);
      callback(none);
      return;
    }
    client_.Ask(name, RecordType::kPtr,
                [callback = std::move(callback)](const DnsClient::Records& records,
                                                 std::chrono::seconds) { callback(MakeNamesAnswer(*records)); });
  }

  void ResolveTlsa(std::string_view text, TlsaCallback callback) override {
    const std::string name = NormaliseHostName(text);
    if (name.empty()) {
      TlsaAnswer none;
      none.status = DnsStatus::kNxDomain;
      none.detail = NotAName(text);
      callback(none);
      return;
    }
    client_.Ask(name, RecordType::kTlsa,
                [callback = std::move(callback)](const DnsClient::Records& records,
                                                 std::chrono::seconds ttl) {
                  TlsaAnswer answer = MakeTlsaAnswer(*records);
                  answer.ttl = ttl;
                  callback(answer);
                });
  }

 private:
  DnsClient client_;
  std::atomic<size_t> address_question_count_ = 0;
};

}  // namespace

void Resolver::ResolveTxt(std::string_view, TextCallback callback) {
  TextAnswer none;
  none.status = DnsStatus::kNoData;
  callback(none);
}

void Resolver::ResolveNames(std::string_view, NamesCallback callback) {
  NamesAnswer none;
  none.status = DnsStatus::kNoData;
  callback(none);
}

void Resolver::ResolveTlsa(std::string_view, TlsaCallback callback) {
  TlsaAnswer none;
  none.status = DnsStatus::kNoData;
  callback(none);
}

absl::StatusOr<std::unique_ptr<Resolver>> CreateResolver(const ResolverOptions& options,
                                                         const Clock& clock) {
  auto resolver = std::make_unique<UnboundResolver>(options, clock);
  if (absl::Status status = resolver->Start(); !status.ok()) {
    return status;
  }
  return resolver;
}

}  // namespace sluice
