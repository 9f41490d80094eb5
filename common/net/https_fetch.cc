#include "net/https_fetch.h"

#include <curl/curl.h>

#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "base/text.h"

namespace sluice {
namespace {

constexpr int kLongestPollMillis = 1000;
constexpr long kOk = 200;

struct SlistFree {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

// One document under way.
struct Transfer {
  HttpsRequest request;
  HttpsFetcher::Callback callback;
  size_t most_bytes;
  std::string body;
  bool is_too_long = false;
  std::unique_ptr<curl_slist, SlistFree> addresses, headers;
};

size_t OnBody(char* data, size_t, size_t count, void* cookie) {
  auto& transfer = *static_cast<Transfer*>(cookie);
  if (transfer.body.size() + count > transfer.most_bytes) {
    transfer.is_too_long = true;
    return 0;  // ends the transfer
  }
  transfer.body.append(data, count);
  return count;
}

std::string Join(const std::vector<std::string>& addresses) {
  std::string out;
  for (const std::string& address : addresses) {
    const bool is_v6 = address.find(':') != std::string::npos;
    Append(out, out.empty() ? "" : ",", is_v6 ? "[" : "", address, is_v6 ? "]" : "");
  }
  return out;
}

void Configure(CURL* easy, Transfer& transfer, const HttpsFetcherOptions& options) {
  const HttpsRequest& request = transfer.request;
  const std::string host = Cat(request.host, ":", request.port);
  transfer.addresses.reset(
      curl_slist_append(nullptr, Cat(host, ":", Join(request.addresses)).c_str()));
  curl_easy_setopt(easy, CURLOPT_URL, Cat("https://", host, request.path).c_str());
  curl_easy_setopt(easy, CURLOPT_RESOLVE, transfer.addresses.get());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS,
                   static_cast<long>(
                       std::chrono::ceil<std::chrono::milliseconds>(options.timeout).count()));
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &OnBody);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, &transfer);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "sluice");
  for (const std::string& header : request.headers) {
    curl_slist* longer = curl_slist_append(transfer.headers.get(), header.c_str());
    if (longer == nullptr) continue;
    (void)transfer.headers.release();
    transfer.headers.reset(longer);
  }
  if (transfer.headers != nullptr) curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer.headers.get());
  if (request.body) {
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(request.body->size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body->c_str());
  }
  if (!options.ca_file.empty()) {
    curl_easy_setopt(easy, CURLOPT_CAINFO, options.ca_file.c_str());
    curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
  }
}

absl::Status StatusOf(CURL* easy, CURLcode code, const Transfer& transfer) {
  if (transfer.is_too_long) {
    return absl::OutOfRangeError(Cat("it is longer than ", transfer.most_bytes, " bytes"));
  }
  if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CERTPROBLEM) {
    return absl::FailedPreconditionError(
        Cat("the certificate of ", transfer.request.host, " is not valid"));
  }
  if (code != CURLE_OK) {
    return absl::UnavailableError(curl_easy_strerror(code));
  }
  long http_code = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &http_code);
  return http_code == kOk ? absl::OkStatus()
                          : absl::NotFoundError(Cat("the server answered ", http_code));
}

HttpsAnswer Failed(absl::Status status) { return {.status = std::move(status)}; }

}  // namespace

class HttpsFetcher::Impl {
 public:
  Impl(HttpsFetcherOptions options, CURLM* multi)
      : options_(std::move(options)), multi_(multi), thread_([this] { Run(); }) {}

  ~Impl() {
    {
      const std::lock_guard lock(mutex_);
      is_stopping_ = true;
    }
    curl_multi_wakeup(multi_);
    thread_.join();
    for (auto& [easy, transfer] : under_way_) {
      curl_multi_remove_handle(multi_, easy);
      curl_easy_cleanup(easy);
      transfer->callback(Failed(absl::CancelledError("stopping")));
    }
    for (auto& transfer : waiting_) {
      transfer->callback(Failed(absl::CancelledError("stopping")));
    }
    curl_multi_cleanup(multi_);
  }

  void Fetch(HttpsRequest request, Callback callback) {
    auto transfer = std::make_unique<Transfer>();
    transfer->request = std::move(request);
    transfer->callback = std::move(callback);
    transfer->most_bytes = options_.most_bytes;
    {
      const std::lock_guard lock(mutex_);
      if (waiting_.size() < options_.most_waiting && !is_stopping_) {
        waiting_.push_back(std::move(transfer));
      }
    }
    if (transfer != nullptr) {
      transfer->callback(Failed(absl::ResourceExhaustedError("too many documents are fetched")));
      return;
    }
    curl_multi_wakeup(multi_);
  }

 private:
  void Run() {
    while (!is_stopping()) {
      Begin();
      int running = 0;
      curl_multi_perform(multi_, &running);
      Finish();
      curl_multi_poll(multi_, nullptr, 0, kLongestPollMillis, nullptr);
    }
  }

  bool is_stopping() {
    const std::lock_guard lock(mutex_);
    return is_stopping_;
  }

  void Begin() {
    while (under_way_.size() < options_.most_at_once) {
      std::unique_ptr<Transfer> next;
      {
        const std::lock_guard lock(mutex_);
        if (waiting_.empty()) {
          return;
        }
        next = std::move(waiting_.front());
        waiting_.pop_front();
      }
      CURL* easy = curl_easy_init();
      if (easy == nullptr) {
        next->callback(Failed(absl::ResourceExhaustedError("libcurl has no more handles")));
        continue;
      }
      Configure(easy, *next, options_);
      under_way_[easy] = std::move(next);
      curl_multi_add_handle(multi_, easy);
    }
  }

  void Finish() {
    int left = 0;
    while (CURLMsg* message = curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) {
        continue;
      }
      CURL* easy = message->easy_handle;
      const auto found = under_way_.find(easy);
      const std::unique_ptr<Transfer> transfer = std::move(found->second);
      under_way_.erase(found);
      HttpsAnswer answer;
      answer.status = StatusOf(easy, message->data.result, *transfer);
      long http_code = 0;
      if (message->data.result == CURLE_OK) curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &http_code);
      answer.code = static_cast<int>(http_code);
      const char* type = nullptr;
      curl_easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &type);
      answer.content_type = type == nullptr ? "" : type;
      answer.body = std::move(transfer->body);
      curl_multi_remove_handle(multi_, easy);
      curl_easy_cleanup(easy);
      transfer->callback(std::move(answer));
    }
  }

  const HttpsFetcherOptions options_;
  CURLM* const multi_;
  std::mutex mutex_;
  bool is_stopping_ = false;
  std::deque<std::unique_ptr<Transfer>> waiting_;
  std::map<CURL*, std::unique_ptr<Transfer>> under_way_;  // the thread's
  std::thread thread_;                                    // last: it uses all of the above
};

absl::StatusOr<std::unique_ptr<HttpsFetcher>> HttpsFetcher::Start(
    const HttpsFetcherOptions& options) {
  static const CURLcode global = curl_global_init(CURL_GLOBAL_DEFAULT);
  CURLM* multi = global == CURLE_OK ? curl_multi_init() : nullptr;
  if (multi == nullptr) {
    return absl::InternalError("cannot start libcurl");
  }
  return std::unique_ptr<HttpsFetcher>(
      new HttpsFetcher(std::make_unique<Impl>(options, multi)));
}

HttpsFetcher::HttpsFetcher(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpsFetcher::~HttpsFetcher() = default;

void HttpsFetcher::Fetch(HttpsRequest request, Callback callback) {
  impl_->Fetch(std::move(request), std::move(callback));
}

}  // namespace sluice
