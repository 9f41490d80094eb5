#include "net/dns_client.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unbound.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/status.h"
#include "base/text.h"

namespace sluice {
namespace {

using SteadyTime = std::chrono::steady_clock;

// More callbacks than this for each question that may be under way: someone asks without waiting.
constexpr size_t kCallbacksPerQuestion = 10;

DnsClient::Records TempFail(std::string detail) {
  auto records = std::make_shared<DnsRecords>();
  records->detail = std::move(detail);
  return records;
}

DnsRecords ToRecords(int error, const ub_result* result) {
  DnsRecords records;
  if (error != 0 || result == nullptr) {
    records.detail = Cat("resolver: ", ub_strerror(error));
    return records;
  }
  records.ttl = std::chrono::seconds(std::max(result->ttl, 0));
  records.is_secure = result->secure != 0;
  if (result->bogus != 0) {
    records.detail = Cat("DNSSEC: ", result->why_bogus != nullptr ? result->why_bogus : "bogus");
  } else if (result->havedata != 0) {
    records.status = DnsStatus::kOk;
    for (size_t i = 0; result->data[i] != nullptr && i < kMaxRecords; ++i) {
      records.data.emplace_back(result->data[i], static_cast<size_t>(result->len[i]));
    }
    const std::string canonical =
        result->canonname == nullptr ? "" : NormaliseHostName(result->canonname);
    records.is_alias = result->canonname != nullptr && canonical != NormaliseHostName(result->qname);
    records.canonical_name = records.is_alias ? canonical : "";
  } else if (result->nxdomain != 0) {
    records.status = DnsStatus::kNxDomain;
  } else if (result->rcode == 0) {
    records.status = DnsStatus::kNoData;
  } else {
    records.detail = Cat("DNS answered with code ", result->rcode);
  }
  return records;
}

}  // namespace

DnsClient::DnsClient(const ResolverOptions& options, const Clock& clock)
    : options_(options), clock_(clock), cache_(options.cache_entries) {}

absl::Status DnsClient::SetOption(const char* name, const std::string& value) {
  const int error = ub_ctx_set_option(context_, name, value.c_str());
  return error == 0
             ? absl::OkStatus()
             : absl::InternalError(Cat("libunbound ", name, " ", value, ": ", ub_strerror(error)));
}

absl::Status DnsClient::Configure() {
  // Decoded answers are cached here; libunbound's own cache holds what recursion and chains need.
  RETURN_IF_ERROR(SetOption("msg-cache-size:", "2m"));
  RETURN_IF_ERROR(SetOption("rrset-cache-size:", "4m"));
  RETURN_IF_ERROR(
      SetOption("num-queries-per-thread:", Cat(std::max<size_t>(options_.max_pending, 16))));
  if (!options_.trust_anchors.empty()) {
    const int error = ub_ctx_add_ta_file(context_, options_.trust_anchors.c_str());
    // The file is read late, and a missing one is taken for an empty one.
    if (error != 0 || ::access(options_.trust_anchors.c_str(), R_OK) != 0) {
      return absl::InvalidArgumentError(
          Cat("cannot read the trust anchors of '", options_.trust_anchors, "'"));
    }
  }
  const bool is_recursive = options_.forwarders.empty() && options_.resolv_conf.empty();
  return is_recursive ? absl::OkStatus() : SetServers();
}

// Whoever is named is asked, on loopback too, and about the names that libunbound would answer by
// itself.
absl::Status DnsClient::SetServers() {
  RETURN_IF_ERROR(SetOption("do-not-query-localhost:", "no"));
  RETURN_IF_ERROR(SetOption("unblock-lan-zones:", "yes"));
  for (const char* zone : {"test.", "invalid.", "127.in-addr.arpa."}) {
    RETURN_IF_ERROR(SetOption("local-zone:", Cat(zone, " transparent")));
  }
  for (const std::string& forwarder : options_.forwarders) {
    if (const int error = ub_ctx_set_fwd(context_, forwarder.c_str()); error != 0) {
      return absl::InvalidArgumentError(
          Cat("DNS forwarder ", Quoted(forwarder), " is not ADDR@PORT: ", ub_strerror(error)));
    }
  }
  if (options_.forwarders.empty()) {
    if (const int error = ub_ctx_resolvconf(context_, options_.resolv_conf.c_str()); error != 0) {
      return absl::InvalidArgumentError(
          Cat("cannot read ", options_.resolv_conf, ": ", ub_strerror(error)));
    }
  }
  return absl::OkStatus();
}

absl::Status DnsClient::Start() {
  context_ = ub_ctx_create();
  wake_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (context_ == nullptr || wake_fd_ < 0) {
    return absl::ResourceExhaustedError("cannot create the DNS resolver");
  }
  RETURN_IF_ERROR(Configure());
  if (const int error = ub_ctx_async(context_, 1); error != 0) {
    return absl::InternalError(Cat("libunbound: ", ub_strerror(error)));
  }
  thread_ = std::thread([this] { Run(); });
  return absl::OkStatus();
}

DnsClient::~DnsClient() {
  if (thread_.joinable()) {
    {
      const std::lock_guard lock(mutex_);
      is_stopping_ = true;
    }
    ::eventfd_write(wake_fd_, 1);
    thread_.join();
  }
  if (context_ != nullptr) {
    ub_ctx_delete(context_);
  }
  if (wake_fd_ >= 0) {
    ::close(wake_fd_);
  }
  const Records stopping = TempFail("the resolver is stopping");
  for (const auto& [id, question] : questions_) {
    for (const Callback& callback : question.callbacks) {
      callback(stopping, std::chrono::seconds(0));
    }
  }
}

void DnsClient::Ask(const std::string& name, RecordType type, Callback callback) {
  const std::string key = Cat(static_cast<int>(type), " ", name);
  Records at_hand;
  std::chrono::seconds ttl{0};
  {
    const std::lock_guard lock(mutex_);
    const SteadyInstant now = clock_.Steady();
    if (const DnsCache::Entry* entry = cache_.Find(key, now)) {
      at_hand = entry->records;
      ttl = std::chrono::ceil<std::chrono::seconds>(entry->until - now);
    } else {
      at_hand = Submit(name, type, key, callback);
    }
  }
  if (at_hand) {
    callback(at_hand, ttl);
  }
}

DnsClient::Records DnsClient::Submit(const std::string& name, RecordType type,
                                     const std::string& key, Callback& callback) {
  const bool is_under_way = by_key_.contains(key);
  if (is_stopping_ || callback_count_ >= options_.max_pending * kCallbacksPerQuestion ||
      (!is_under_way && questions_.size() >= options_.max_pending)) {
    return TempFail("too many DNS questions under way");
  }
  if (!is_under_way) {
    if (Records refusal = AskLibrary(name, type, key)) {
      return refusal;
    }
  }
  ++callback_count_;
  by_key_[key]->callbacks.push_back(std::move(callback));
  return nullptr;
}

DnsClient::Records DnsClient::AskLibrary(const std::string& name, RecordType type,
                                         const std::string& key) {
  const uint64_t id = next_id_++;
  Question& question = questions_[id];
  question = {this, id, key, 0, SteadyTime::now() + options_.timeout, {}};
  const int error = ub_resolve_async(context_, name.c_str(), static_cast<int>(type), 1, &question,
                                     &DnsClient::OnAnswer, &question.async_id);
  if (error != 0) {
    questions_.erase(id);
    return TempFail(Cat("resolver: ", ub_strerror(error)));
  }
  by_key_[key] = &question;
  // The thread may be waiting without an end.
  if (questions_.size() == 1) {
    ::eventfd_write(wake_fd_, 1);
  }
  return nullptr;
}

// On our thread, out of ub_process.
void DnsClient::OnAnswer(void* cookie, int error, ub_result* result) {
  auto& question = *static_cast<Question*>(cookie);
  const auto records = std::make_shared<const DnsRecords>(ToRecords(error, result));
  ub_resolve_free(result);
  question.client->Finish(question, records);
}

void DnsClient::Finish(Question& question, const Records& records) {
  std::vector<Callback> callbacks;
  std::chrono::seconds ttl;
  {
    const std::lock_guard lock(mutex_);
    ttl = Keep(question.key, records);
    callbacks = std::move(question.callbacks);
    callback_count_ -= callbacks.size();
    by_key_.erase(question.key);
    questions_.erase(question.id);
  }
  for (const Callback& callback : callbacks) {
    callback(records, ttl);
  }
}

std::chrono::seconds DnsClient::Keep(const std::string& key, const Records& records) {
  if (records->status == DnsStatus::kTempFail) {
    return std::chrono::seconds(0);
  }
  const bool is_negative = records->status != DnsStatus::kOk;
  const std::chrono::seconds most = is_negative ? options_.negative_ttl : options_.max_ttl;
  const std::chrono::seconds ttl = std::clamp(records->ttl, std::min(options_.min_ttl, most), most);
  cache_.Put(key, records, clock_.Steady() + ttl);
  return ttl;
}

bool DnsClient::is_stopping() {
  const std::lock_guard lock(mutex_);
  return is_stopping_;
}

void DnsClient::Run() {
  std::array<pollfd, 2> fds{pollfd{ub_fd(context_), POLLIN, 0}, pollfd{wake_fd_, POLLIN, 0}};
  while (!is_stopping()) {
    ::poll(fds.data(), fds.size(), MillisToWait());
    eventfd_t ignored;
    ::eventfd_read(wake_fd_, &ignored);
    if ((fds[0].revents & POLLIN) != 0) {
      ub_process(context_);
    }
    ExpireQuestions();
  }
}

int DnsClient::MillisToWait() {
  const std::lock_guard lock(mutex_);
  if (questions_.empty()) {
    return -1;
  }
  const auto left = questions_.begin()->second.until - SteadyTime::now();
  return static_cast<int>(
      std::max<int64_t>(std::chrono::ceil<std::chrono::milliseconds>(left).count(), 0));
}

// This is the thread that runs ub_process, so a question that is cancelled here is never answered
// later.
void DnsClient::ExpireQuestions() {
  const auto now = SteadyTime::now();
  for (;;) {
    Question* expired = nullptr;
    {
      const std::lock_guard lock(mutex_);
      if (questions_.empty() || questions_.begin()->second.until > now) {
        return;
      }
      expired = &questions_.begin()->second;
      ub_cancel(context_, expired->async_id);
    }
    Finish(*expired, TempFail(Cat("no DNS answer within ", ToString(options_.timeout))));
  }
}

}  // namespace sluice
