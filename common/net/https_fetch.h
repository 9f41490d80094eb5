// Small documents by HTTPS: certificate verified, no redirects, bounded in size, time and number.
// One thread of its own, by libcurl. Addresses are given by whoever asks, so that names are looked
// up in one place (net/dns).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"

namespace sluice {

struct HttpsFetcherOptions {
  std::string ca_file = {};                     // PEM; empty = the system's authorities
  Duration timeout = std::chrono::seconds(20);  // of one document, as a whole
  size_t most_bytes = 64 * 1024;
  size_t most_at_once = 100;
  size_t most_waiting = 10'000;  // more are refused at once
};

struct HttpsRequest {
  std::string host;  // its name, for the certificate
  int port = 443;
  std::string path;                    // "/…"
  std::vector<std::string> addresses;  // of the host, in text; not empty
  std::vector<std::string> headers = {};  // `Name: value`
  std::optional<std::string> body = {};   // with it: POST
};

struct HttpsAnswer {
  // OK: the server answered 200, `body` is whole. FailedPrecondition: its certificate is not valid.
  // Anything else: it could not be had.
  absl::Status status;
  std::string content_type = {};
  std::string body = {};
  int code = 0;  // 0 = there was no answer
};

class HttpsFetcher {
 public:
  using Callback = std::function<void(HttpsAnswer)>;

  [[nodiscard]] static absl::StatusOr<std::unique_ptr<HttpsFetcher>> Start(
      const HttpsFetcherOptions& options);
  // What is under way is answered Cancelled, on this thread.
  ~HttpsFetcher();
  HttpsFetcher(const HttpsFetcher&) = delete;
  HttpsFetcher& operator=(const HttpsFetcher&) = delete;

  // Thread-safe. The callback runs once, on the fetcher's thread, where it must not block.
  void Fetch(HttpsRequest request, Callback callback);

 private:
  class Impl;
  explicit HttpsFetcher(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace sluice
