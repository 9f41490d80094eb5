#include "ctl/tls_report.h"

#include <algorithm>
#include <map>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/text.h"

namespace sluice::ctl {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kBase64LineBytes = 76;

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

Json PolicyOf(const v1::TlsResult& result) {
  Json policy = {{"policy-type", result.policy_type()}, {"policy-domain", result.domain()}};
  if (!result.policy_text().empty()) policy["policy-string"] = Lines(result.policy_text());
  Json hosts = Json::array();
  for (const std::string& line : Lines(result.policy_text())) {
    if (line.starts_with("mx: ")) hosts.push_back(line.substr(4));
  }
  if (!hosts.empty()) policy["mx-host"] = hosts;
  return policy;
}

Json FailureOf(const v1::TlsResult& result) {
  Json failure = {{"result-type", result.failure()}};
  const auto add = [&failure](const char* key, const std::string& value) {
    if (!value.empty()) failure[key] = value;
  };
  add("sending-mta-ip", result.source_address());
  add("receiving-mx-hostname", result.mx_host());
  add("receiving-ip", result.mx_address());
  failure["failed-session-count"] = result.sessions();
  add("failure-reason-code", result.detail());
  return failure;
}

Json Policies(const TlsResultList& results) {
  std::map<std::pair<std::string, std::string>, Json> by_policy;
  for (const v1::TlsResult& result : results) {
    Json& entry = by_policy[{result.policy_type(), result.policy_text()}];
    if (entry.empty()) {
      entry["policy"] = PolicyOf(result);
      entry["summary"] = {{"total-successful-session-count", 0},
                          {"total-failure-session-count", 0}};
    }
    const bool is_failure = !result.failure().empty();
    Json& count = entry["summary"][is_failure ? "total-failure-session-count"
                                              : "total-successful-session-count"];
    count = count.get<int64_t>() + result.sessions();
    if (is_failure) entry["failure-details"].push_back(FailureOf(result));
  }
  Json policies = Json::array();
  for (auto& [key, entry] : by_policy) policies.push_back(std::move(entry));
  return policies;
}

std::string Base64(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  size_t in_line = 0;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k) {
      group = group << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    }
    for (size_t k = 0; k < 4; ++k) {
      out += i + k <= bytes.size() ? kDigits[group >> (18 - 6 * k) & 63] : '=';
    }
    in_line += 4;
    if (in_line == kBase64LineBytes) {
      out += "\r\n";
      in_line = 0;
    }
  }
  return out;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::string PercentDecoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool is_escape = text[i] == '%' && i + 2 < text.size() && HexDigit(text[i + 1]) >= 0 &&
                           HexDigit(text[i + 2]) >= 0;
    out += is_escape ? static_cast<char>(HexDigit(text[i + 1]) * 16 + HexDigit(text[i + 2]))
                     : text[i];
    i += is_escape ? 2 : 0;
  }
  return out;
}

}  // namespace

std::string TlsReportId(const TlsResultList& results) {
  return Cat(results.front().day(), "-", results.front().domain());
}

std::string TlsReportDocument(const TlsReporter& reporter, const TlsResultList& results) {
  const std::string& day = results.front().day();
  const Json report = {
      {"organization-name", reporter.organization},
      {"date-range",
       {{"start-datetime", Cat(day, "T00:00:00Z")}, {"end-datetime", Cat(day, "T23:59:59Z")}}},
      {"contact-info", reporter.contact},
      {"report-id", TlsReportId(results)},
      {"policies", Policies(results)}};
  return report.dump(2, ' ', false, Json::error_handler_t::replace);
}

std::string TlsReportMail(const TlsReporter& reporter, const TlsResultList& results,
                          const std::string& to) {
  const std::string& domain = results.front().domain();
  const std::string submitter = reporter.contact.substr(reporter.contact.rfind('@') + 1);
  const std::string id = TlsReportId(results);
  const std::string file = Cat(submitter, "!", domain, "!", id, ".json");
  const std::string boundary = Cat("=_tlsrpt-", id);
  return Cat("From: ", reporter.contact, "\r\nTo: ", to, "\r\nSubject: Report Domain: ", domain,
             "\r\n Submitter: ", submitter, "\r\n Report-ID: <", id, "@", submitter,
             ">\r\nTLS-Report-Domain: ", domain, "\r\nTLS-Report-Submitter: ", submitter,
             "\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=\"tlsrpt\";\r\n"
             " boundary=\"",
             boundary, "\"\r\n\r\n--", boundary,
             "\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n"
             "This is a report on TLS sessions with the mail servers of ",
             domain, "\r\non ", results.front().day(), ", as RFC 8460 describes it.\r\n\r\n--",
             boundary, "\r\nContent-Type: application/tlsrpt+json\r\nContent-Transfer-Encoding: ",
             "base64\r\nContent-Disposition: attachment;\r\n filename=\"", file, "\"\r\n\r\n",
             Base64(TlsReportDocument(reporter, results)), "\r\n--", boundary, "--\r\n");
}

std::vector<std::string> TlsReportAddresses(const std::string& report_to) {
  std::vector<std::string> addresses;
  for (size_t begin = 0; begin < report_to.size();) {
    const size_t end = std::min(report_to.find(' ', begin), report_to.size());
    std::string_view uri = std::string_view(report_to).substr(begin, end - begin);
    begin = end + 1;
    constexpr std::string_view kScheme = "mailto:";
    if (!uri.starts_with(kScheme)) continue;
    uri.remove_prefix(kScheme.size());
    addresses.push_back(PercentDecoded(uri.substr(0, uri.find('?'))));
  }
  return addresses;
}

}  // namespace sluice::ctl
