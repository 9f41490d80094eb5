// DNS for mail: MX hosts of a domain and addresses of a host, asynchronous and cached. The
// interface knows neither asio nor libunbound, so that scheduler, ingest and egress can all hold a
// Resolver.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "mail/mx_host.h"
#include "smtp/tlsa.h"

namespace sluice {

enum class DnsStatus : uint8_t {
  kOk,
  kNxDomain,  // the name does not exist
  kNoData,    // the name exists, without such records
  kTempFail,  // timeout, SERVFAIL, refused, resolver overloaded: ask again later, never a bounce
};
std::string_view ToString(DnsStatus status);

enum class MxKind : uint8_t {
  kMx,        // `hosts` from MX records
  kImplicit,  // no MX: the domain itself is the host, RFC 5321 §5.1; its addresses are not looked
              // up yet
  kNull,      // null MX, RFC 7505: the domain takes no mail (556 5.1.10); `hosts` empty
  kUnusable,  // MX records, none of which names a host (addresses, bad names): 5.4.4; `hosts` empty
};

struct MxAnswer {
  DnsStatus status = DnsStatus::kTempFail;  // kOk, kNxDomain or kTempFail
  MxKind kind = MxKind::kMx;                // when kOk
  std::vector<MxHost> hosts;  // by preference, then name; at most kMaxMxHosts; no duplicates
  bool is_secure = false;     // DNSSEC proved it, or that there are no such records
  std::chrono::seconds ttl{0};
  std::string detail;  // what went wrong, for logs
};
constexpr size_t kMaxMxHosts = 30;

enum class AddressFamily : uint8_t { kIpv4Only, kIpv6Only, kIpv4First, kIpv6First };

struct AddressAnswer {
  DnsStatus status = DnsStatus::kTempFail;
  std::vector<std::string>
      addresses;          // canonical text, in the order asked for; at most kMaxAddresses
  bool is_alias = false;  // the host is a CNAME (RFC 2181 §10.3 forbids it for MX targets)
  std::string canonical_name;  // of an alias: where it leads
  bool is_secure = false;      // DNSSEC proved all of it, aliases included
  std::chrono::seconds ttl{0};
  std::string detail;
};
constexpr size_t kMaxAddresses = 30;

// TXT records, the strings of each joined.
struct TextAnswer {
  DnsStatus status = DnsStatus::kTempFail;
  std::vector<std::string> texts;
  std::chrono::seconds ttl{0};
  std::string detail;
};

// Names of an address (PTR), normalised; at most kMaxAddresses.
struct NamesAnswer {
  DnsStatus status = DnsStatus::kTempFail;
  std::vector<std::string> names;
  std::string detail;
};

struct TlsaAnswer {
  DnsStatus status = DnsStatus::kTempFail;
  std::vector<TlsaRecord> records;  // as they were found, usable or not
  bool is_secure = false;
  std::chrono::seconds ttl{0};
  std::string detail;
};

// Thread-safe. A callback runs exactly once: on the caller's thread before the call returns when
// the answer is cached, else on the resolver's own thread, where it must not block. When the
// resolver is destroyed, what is still open is answered kTempFail. Never destroy it from a
// callback.
class Resolver {
 public:
  using MxCallback = std::function<void(const MxAnswer&)>;
  using AddressCallback = std::function<void(const AddressAnswer&)>;
  virtual ~Resolver() = default;
  // `domain` as ASCII (A-labels), any case, with or without trailing dot.
  virtual void ResolveMx(std::string_view domain, MxCallback callback) = 0;
  // Addresses of one family take turns at being the first, from call to call.
  // An address instead of a name gives kNoData: it is no host.
  virtual void ResolveAddresses(std::string_view host, AddressFamily family,
                                AddressCallback callback) = 0;
  using TextCallback = std::function<void(const TextAnswer&)>;
  using TlsaCallback = std::function<void(const TlsaAnswer&)>;
  // Fakes that know no such records need not say so.
  virtual void ResolveTxt(std::string_view name, TextCallback callback);
  using NamesCallback = std::function<void(const NamesAnswer&)>;
  // `name` such as "11.2.0.192.in-addr.arpa".
  virtual void ResolveNames(std::string_view name, NamesCallback callback);
  // `name` such as "_25._tcp.mx.example".
  virtual void ResolveTlsa(std::string_view name, TlsaCallback callback);
};

struct ResolverOptions {
  // "ADDR@PORT" each (IPv6 as it is written): all questions go there. Addresses in 127/8 and ::1
  // are allowed.
  std::vector<std::string> forwarders;
  // Without forwarders: the name servers of this file, or, if empty, full recursion from the root.
  std::string resolv_conf = "/etc/resolv.conf";
  // File with trust anchors (DS or DNSKEY records) that answers are validated against; empty = no
  // DNSSEC: nothing is secure. With it, forwarders must hand DNSSEC records on.
  std::string trust_anchors = {};
  Duration timeout = std::chrono::seconds(20);  // of one question, as a whole
  size_t max_pending = 2000;     // questions under way; more are answered kTempFail at once
  size_t cache_entries = 20000;  // decoded answers kept in front of libunbound
  std::chrono::seconds min_ttl{5}, max_ttl{86400},
      negative_ttl{300};  // clamps; failures are not cached
};
[[nodiscard]] absl::StatusOr<std::unique_ptr<Resolver>> CreateResolver(
    const ResolverOptions& options, const Clock& clock);

// The order in which to try hosts: by preference, equals shuffled (RFC 5321 §5.1). `random(n)`
// gives a number in [0, n).
std::vector<MxHost> OrderMxHosts(std::vector<MxHost> hosts,
                                 const std::function<size_t(size_t)>& random);

}  // namespace sluice
