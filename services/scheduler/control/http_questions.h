// HTTPS asked by a thread that may wait: the pollers'. Names are looked up by our resolver; every wait is bounded; redirects are answers.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "net/dns.h"
#include "net/https_fetch.h"

namespace sluice::scheduler {

struct HttpQuestion {
  std::string url;                        // `https://host[:port]/path`; may hold a secret, as headers and body may: none is ever logged.
  std::vector<std::string> headers = {};  // `Name: value`.
  std::optional<std::string> body = {};   // With it: POST.
};
// As HttpsFetcher answers: a code other than 200 is an error, with the code and what the server said. Cancelled: we are ending.
using AskHttp = std::function<HttpsAnswer(const HttpQuestion&)>;
// All outlive the function. `cancel` true: waits end, nothing more is asked.
AskHttp HttpBy(HttpsFetcher& fetcher, Resolver& resolver, const std::atomic<bool>& cancel);

// `a=b&c=d`, encoded (application/x-www-form-urlencoded).
std::string FormOf(const std::vector<std::pair<std::string, std::string>>& fields);

}  // namespace sluice::scheduler
