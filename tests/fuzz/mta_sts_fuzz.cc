// Any bytes as an MTA-STS policy, as its TXT record, and as a record about TLS reports: bounded, and
// what is taken holds what it promises.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "smtp/mta_sts.h"
#include "smtp/tls_report.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto policy = sluice::ParseStsPolicy(bytes); policy.ok()) {
    SLUICE_CHECK(policy->mx.size() <= sluice::kMaxStsMx);
    SLUICE_CHECK(policy->max_age <= sluice::kMaxStsAge && policy->max_age.count() >= 0);
    SLUICE_CHECK(policy->mode == sluice::StsMode::kNone || !policy->mx.empty());
    for (const std::string& mx : policy->mx) {
      SLUICE_CHECK(!mx.empty() && mx.find("..") == std::string::npos);
      const bool is_wildcard = mx.starts_with("*.");
      SLUICE_CHECK(sluice::NamesMx(*policy, is_wildcard ? "a" + mx.substr(1) : mx));
    }
  }
  std::vector<std::string> texts;
  for (size_t begin = 0; begin <= size;) {
    const size_t end = std::min(bytes.find('\n', begin), size);
    texts.emplace_back(bytes.substr(begin, end - begin));
    begin = end + 1;
  }
  if (const auto id = sluice::FindStsId(texts)) {
    SLUICE_CHECK(!id->empty() && id->size() <= 32);
  }
  const auto uris = sluice::FindReportUris(texts);
  SLUICE_CHECK(uris.size() <= sluice::kMaxReportUris);
  for (const std::string& uri : uris) {
    SLUICE_CHECK(uri.starts_with("mailto:") || uri.starts_with("https:"));
    SLUICE_CHECK(uri.find_first_of(" \r\n\t") == std::string::npos);
  }
  return 0;
}
