#include "egress/open_session.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <utility>

#include "base/text.h"
#include "egress/path.h"
#include "egress/resolve.h"

namespace sluice::egress {
namespace {

constexpr size_t kMostHosts = 5;
constexpr size_t kMostAddressesOfHost = 3;

std::optional<asio::ip::address> ParseLiteral(std::string_view host) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
    constexpr std::string_view kTag = "IPv6:";
    if (host.substr(0, kTag.size()) == kTag) host.remove_prefix(kTag.size());
  }
  asio::error_code error;
  const auto address = asio::ip::make_address(std::string(host), error);
  if (error) return std::nullopt;
  return address;
}

// Read anew for each connection, so that a new password counts at once. Without the file the server
// will refuse us, and say so.
SmtpCredentials ReadCredentials(const std::string& directory, const SmartHostPolicy& host) {
  constexpr size_t kMostBytes = 1024;
  SmtpCredentials own;
  own.user = host.user;
  std::ifstream file(directory + "/" + host.password_file);
  std::getline(file, own.password);
  if (own.password.ends_with('\r')) own.password.pop_back();
  own.password.resize(std::min(own.password.size(), kMostBytes));
  return own;
}

// One opening; lives as long as its coroutine.
class Opening {
 public:
  Opening(const Surroundings& around, asio::any_io_executor executor, HostBook& book,
          OpenRequest request)
      : around_(around),
        executor_(std::move(executor)),
        book_(book),
        request_(std::move(request)) {}

  asio::awaitable<OpenedSession> Run();

 private:
  enum class Progress : uint8_t { kNext, kDone };

  asio::awaitable<Progress> TryHost(const std::string& host);
  asio::awaitable<Progress> TryAddress(const std::string& host, asio::ip::address address);
  asio::awaitable<void> OpenAt(const std::string& host, asio::ip::address address);
  // Counts a connection to the address. False: it takes no more of ours.
  bool TakePeer();
  void GiveBackPeer();
  asio::awaitable<OpenResult> Open(const std::string& host, asio::ip::address address,
                                   TlsRequirement tls);
  // Empty answer when DANE does not apply to the host.
  asio::awaitable<DaneAnswer> AskDane(const std::string& host);
  // Opportunistic where TLS was found broken a while ago: plain text.
  TlsRequirement RequirementNow(const std::string& host) const;
  void CountFailure(const std::string& host, TlsFailure failure);
  // Empty: `result_` says why.
  asio::awaitable<std::vector<asio::ip::address>> AddressesOf(const std::string& host);
  void DropOurselves(const std::string& host, std::vector<asio::ip::address>& addresses);
  void Note(Stage stage, SmtpReply reply);
  // Nothing of this host may be tried at all; final if that is so of every host.
  void NoteLoop(std::string text);
  void NotePaused();

  const Surroundings& around_;
  const asio::any_io_executor executor_;
  HostBook& book_;
  const OpenRequest request_;
  OpenedSession result_;
  AddressAnswer addresses_;  // of the host that is tried
  bool loops_here_ = false, is_full_here_ = false;
  std::optional<SmtpReply> loop_;
};

asio::awaitable<OpenedSession> Opening::Run() {
  size_t failed_count = 0;
  bool has_skipped = false, is_full = false;
  for (const std::string& host : request_.hosts) {
    if (failed_count == kMostHosts) break;
    if (book_.IsPaused(host, around_.clock.Steady())) {
      has_skipped = true;
      continue;
    }
    loops_here_ = is_full_here_ = false;
    if (co_await TryHost(host) == Progress::kDone) co_return std::move(result_);
    is_full = is_full || is_full_here_;
    if (!loops_here_ && !is_full_here_) ++failed_count;
  }
  result_.is_peer_full = is_full;
  if (failed_count == 0 && !has_skipped && loop_.has_value()) {
    Note(Stage::kDns, *std::move(loop_));
  } else if (failed_count == 0) {
    NotePaused();
  }
  co_return std::move(result_);
}

asio::awaitable<Opening::Progress> Opening::TryHost(const std::string& host) {
  result_.host = host;
  result_.address.clear();
  result_.tls_plan = TlsPlan();
  const std::vector<asio::ip::address> addresses = co_await AddressesOf(host);
  if (!addresses.empty()) {
    const DaneAnswer dane = co_await AskDane(host);
    result_.tls_plan =
        PlanTls(request_.smart_host != nullptr ? request_.smart_host->tls : request_.tls_mode,
                request_.tls.get(), host, dane);
  }
  if (result_.tls_plan.refusal.has_value() && !addresses.empty()) {
    CountFailure(host, result_.tls_plan.failure);
    Note(Stage::kStarttls, *result_.tls_plan.refusal);
    // Not the host's fault: mail of other domains may go there.
    co_return Progress::kNext;
  }
  for (const asio::ip::address& address : addresses) {
    if (co_await TryAddress(host, address) == Progress::kDone) {
      book_.Worked(host);
      co_return Progress::kDone;
    }
    if (result_.is_bind_failure) co_return Progress::kDone;
  }
  if (loops_here_ || is_full_here_) co_return Progress::kNext;
  HostFailure failure{.stage = result_.stage, .reply = result_.reply, .address = result_.address};
  book_.Failed(host, std::move(failure), around_.clock.Steady());
  co_return Progress::kNext;
}

asio::awaitable<Opening::Progress> Opening::TryAddress(const std::string& host,
                                                       asio::ip::address address) {
  result_.address = address.to_string();
  if (!TakePeer()) co_return Progress::kNext;
  co_await OpenAt(host, address);
  if (result_.session != nullptr) co_return Progress::kDone;
  GiveBackPeer();
  co_return Progress::kNext;
}

bool Opening::TakePeer() {
  result_.peer = request_.peers->Take(result_.address, request_.most_per_address, *request_.path);
  if (result_.peer != nullptr) return true;
  is_full_here_ = true;
  return false;
}

void Opening::GiveBackPeer() {
  if (std::exchange(result_.peer, nullptr) == nullptr) return;
  Path* wanting = request_.peers->GiveBack(result_.address);
  if (wanting != nullptr && wanting != request_.path) wanting->PeerFreed();
}

asio::awaitable<void> Opening::OpenAt(const std::string& host, asio::ip::address address) {
  TlsRequirement requirement = RequirementNow(host);
  OpenResult opened = co_await Open(host, address, std::move(requirement));
  if (opened.session == nullptr && opened.tls_failure != TlsFailure::kNone) {
    Note(opened.outcome.stage, opened.outcome.reply);
    CountFailure(host, opened.tls_failure);
  }
  if (opened.session == nullptr && opened.retry_in_plain_text) {
    // RFC 7435: broken TLS is no worse than none, and no reason to lose mail.
    book_.UsePlainText(host, around_.clock.Steady());
    TlsRequirement plain;
    plain.mode = TlsMode::kOff;
    opened = co_await Open(host, address, std::move(plain));
  }
  result_.is_bind_failure = opened.outcome.ending == Ending::kBindFailed;
  Note(opened.outcome.stage, std::move(opened.outcome.reply));
  result_.times = opened.times;
  result_.session = std::move(opened.session);
}

asio::awaitable<OpenResult> Opening::Open(const std::string& host, asio::ip::address address,
                                          TlsRequirement tls) {
  SmtpSessionOptions options;
  options.ehlo = request_.source->assigned.ehlo;
  options.mx_host = host;
  options.tls = std::move(tls);
  options.tls.client = request_.source->assigned.bind_address;
  if (request_.smart_host != nullptr && !request_.smart_host->user.empty()) {
    options.credentials = ReadCredentials(around_.options.secret_directory, *request_.smart_host);
  }
  options.proxy = request_.source->assigned.proxy;
  options.tls_context = around_.tls;
  options.timeouts = around_.options.timeouts;
  options.trace = TraceOf(around_.trace, {.connection = request_.connection,
                                          .source = request_.source->assigned.name.value(),
                                          .domain = request_.recipient_domain,
                                          .mx_host = host,
                                          .mx_address = address.to_string()});
  const asio::ip::tcp::endpoint peer(address,
                                     static_cast<asio::ip::port_type>(
                                         request_.smart_host != nullptr
                                             ? request_.smart_host->port
                                             : around_.options.smtp_port));
  co_return co_await SmtpSession::Open(executor_, request_.source->address, peer,
                                       std::move(options));
}

// RFC 7672 §2.2: only for hosts that DNSSEC proves to be the domain's.
asio::awaitable<DaneAnswer> Opening::AskDane(const std::string& host) {
  DaneAnswer answer;
  if (request_.tls == nullptr) co_return answer;
  const std::vector<std::string>& hosts = request_.tls->secure_hosts;
  if (std::find(hosts.begin(), hosts.end(), host) == hosts.end()) co_return answer;
  for (const std::string& base : TlsaBaseDomains(host, addresses_)) {
    std::string name = TlsaName(base, around_.options.smtp_port);
    const TlsaAnswer found = co_await ResolveTlsa(around_.resolver, executor_, std::move(name));
    answer = JudgeTlsa(base, found);
    if (answer.state != DaneState::kNone) break;
  }
  co_return answer;
}

asio::awaitable<std::vector<asio::ip::address>> Opening::AddressesOf(const std::string& host) {
  addresses_ = AddressAnswer();
  std::vector<asio::ip::address> addresses;
  const bool is_v4 = request_.source->address.is_v4();
  if (const auto literal = ParseLiteral(host)) {
    addresses.push_back(*literal);
  } else {
    const AddressFamily family = is_v4 ? AddressFamily::kIpv4Only : AddressFamily::kIpv6Only;
    const AddressAnswer answer = co_await ResolveHost(around_.resolver, executor_, host, family);
    addresses_ = answer;
    if (answer.status == DnsStatus::kTempFail) {
      Note(Stage::kDns, LocalReply({4, 4, 3}, Cat("cannot look up ", host, ": ", answer.detail)));
      co_return addresses;
    }
    if (answer.is_alias && host != request_.recipient_domain && request_.smart_host == nullptr) {
      NoteLoop(Cat("MX host ", host, " is an alias"));
      co_return addresses;
    }
    for (const std::string& text : answer.addresses) {
      if (const auto address = ParseLiteral(text)) addresses.push_back(*address);
    }
  }
  std::erase_if(addresses, [is_v4](const auto& address) { return address.is_v4() != is_v4; });
  if (addresses.empty()) {
    const std::string_view kind = is_v4 ? " has no IPv4 address" : " has no IPv6 address";
    Note(Stage::kDns, LocalReply({4, 4, 4}, Cat(host, kind)));
  }
  DropOurselves(host, addresses);
  if (addresses.size() > kMostAddressesOfHost) addresses.resize(kMostAddressesOfHost);
  co_return addresses;
}

void Opening::DropOurselves(const std::string& host, std::vector<asio::ip::address>& addresses) {
  if (around_.options.testing) return;
  const size_t dropped = std::erase_if(addresses, [this](const asio::ip::address& address) {
    return IsOurselves(address, *request_.source->own);
  });
  if (dropped > 0 && addresses.empty())
    NoteLoop(Cat("mail for ", host, " loops back to this host"));
}

TlsRequirement Opening::RequirementNow(const std::string& host) const {
  TlsRequirement requirement = result_.tls_plan.requirement;
  const bool is_plain = !around_.options.use_starttls || around_.tls == nullptr ||
                        book_.IsPlainText(host, around_.clock.Steady());
  if (is_plain && requirement.mode == TlsMode::kOpportunistic) requirement.mode = TlsMode::kOff;
  return requirement;
}

void Opening::CountFailure(const std::string& host, TlsFailure failure) {
  if (request_.tls == nullptr) return;
  TlsSession session;
  session.policy = result_.tls_plan.policy;
  session.failure = failure;
  session.source_address = request_.source->assigned.bind_address;
  session.mx_host = host;
  session.mx_address = result_.address;
  session.detail = result_.reply.text;
  around_.tls_results.Add(*request_.tls, std::move(session), around_.clock.Now());
}

void Opening::Note(Stage stage, SmtpReply reply) {
  result_.stage = stage;
  result_.reply = std::move(reply);
}

void Opening::NoteLoop(std::string text) {
  loops_here_ = true;
  loop_ = LocalReply({5, 4, 4}, text);
}

void Opening::NotePaused() {
  Note(Stage::kConnect, LocalReply({4, 4, 1}, "no MX host can be tried now"));
  for (const std::string& host : request_.hosts) {
    const HostFailure* failure = book_.LastFailure(host);
    if (failure == nullptr) continue;
    result_.host = host;
    result_.address = failure->address;
    Note(failure->stage, failure->reply);
    return;
  }
}

}  // namespace

asio::awaitable<OpenedSession> OpenSession(const Surroundings& around,
                                           asio::any_io_executor executor, HostBook& book,
                                           OpenRequest request) {
  Opening opening(around, std::move(executor), book, std::move(request));
  co_return co_await opening.Run();
}

bool IsOurselves(const asio::ip::address& address, const std::vector<asio::ip::address>& own) {
  asio::ip::address plain = address;
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    plain = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  }
  return plain.is_loopback() || plain.is_unspecified() ||
         std::find(own.begin(), own.end(), plain) != own.end();
}

}  // namespace sluice::egress
