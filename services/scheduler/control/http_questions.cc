#include "scheduler/control/http_questions.h"

#include <charconv>
#include <future>
#include <memory>

#include "base/text.h"

namespace sluice::scheduler {
namespace {

constexpr auto kPatience = std::chrono::seconds(60);  // Resolver and fetcher give up before.
constexpr auto kLook = std::chrono::milliseconds(100);
constexpr int kMostPort = 65'535;
constexpr std::string_view kScheme = "https://";

std::optional<HttpsRequest> RequestOf(const HttpQuestion& question) {
  std::string_view rest = question.url;
  if (!rest.starts_with(kScheme)) return std::nullopt;
  rest.remove_prefix(kScheme.size());
  const size_t slash = std::min(rest.find('/'), rest.size());
  const std::string_view host = rest.substr(0, slash);
  HttpsRequest request;
  const size_t colon = host.rfind(':');
  request.host = host.substr(0, colon);
  if (colon != std::string_view::npos) {
    const std::string_view port = host.substr(colon + 1);
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), request.port);
    const bool is_port = error == std::errc() && end == port.data() + port.size() && request.port > 0 && request.port <= kMostPort;
    if (!is_port) return std::nullopt;
  }
  request.path = slash < rest.size() ? std::string(rest.substr(slash)) : "/";
  request.headers = question.headers;
  request.body = question.body;
  return request.host.empty() ? std::nullopt : std::optional(std::move(request));
}

template <class T>
absl::Status Await(const std::future<T>& future, const std::atomic<bool>& cancel) {
  for (auto waited = kLook * 0; waited < kPatience; waited += kLook) {
    if (cancel) return absl::CancelledError("ending");
    if (future.wait_for(kLook) == std::future_status::ready) return absl::OkStatus();
  }
  return absl::UnavailableError("no answer");
}

HttpsAnswer Failed(absl::Status status) { return {.status = std::move(status)}; }

}  // namespace

AskHttp HttpBy(HttpsFetcher& fetcher, Resolver& resolver, const std::atomic<bool>& cancel) {
  return [&fetcher, &resolver, &cancel](const HttpQuestion& question) -> HttpsAnswer {
    auto request = RequestOf(question);
    if (!request) return Failed(absl::InvalidArgumentError("the address is not https://HOST/PATH"));
    const auto addresses = std::make_shared<std::promise<AddressAnswer>>();
    auto resolved = addresses->get_future();
    resolver.ResolveAddresses(request->host, AddressFamily::kIpv4First, [addresses](const AddressAnswer& a) { addresses->set_value(a); });
    if (const absl::Status status = Await(resolved, cancel); !status.ok()) return Failed(status);
    request->addresses = resolved.get().addresses;
    if (request->addresses.empty()) return Failed(absl::UnavailableError(Cat("no address for ", request->host)));
    const auto promise = std::make_shared<std::promise<HttpsAnswer>>();
    auto answer = promise->get_future();
    fetcher.Fetch(*std::move(request), [promise](HttpsAnswer a) { promise->set_value(std::move(a)); });
    if (const absl::Status status = Await(answer, cancel); !status.ok()) return Failed(status);
    return answer.get();
  };
}

std::string FormOf(const std::vector<std::pair<std::string, std::string>>& fields) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  const auto encode = [&](std::string_view text) {
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      if ((byte >= '0' && byte <= '9') || ((byte | 32) >= 'a' && (byte | 32) <= 'z') || c == '-' || c == '_' || c == '.' || c == '~') {
        out += c;
      } else {
        out += '%';
        out += kHex[byte >> 4];
        out += kHex[byte & 15];
      }
    }
  };
  for (const auto& [name, value] : fields) {
    if (!out.empty()) out += '&';
    encode(name);
    out += '=';
    encode(value);
  }
  return out;
}

}  // namespace sluice::scheduler
