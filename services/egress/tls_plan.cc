#include "egress/tls_plan.h"

#include <algorithm>

#include "base/text.h"

namespace sluice::egress {
namespace {

void Refuse(TlsPlan& plan, TlsFailure failure, const std::string& text) {
  plan.failure = failure;
  plan.refusal = LocalReply({4, 7, 5}, text);
}

// True: DANE alone decides.
bool PlanDane(TlsPlan& plan, const std::string& host, const DaneAnswer& dane) {
  if (dane.state == DaneState::kNone) return false;
  plan.policy = TlsPolicyType::kTlsa;
  TlsRequirement& requirement = plan.requirement;
  switch (dane.state) {
    case DaneState::kFailed: {
      const bool is_bogus = dane.detail.starts_with("DNSSEC");
      Refuse(plan, is_bogus ? TlsFailure::kDnssecInvalid : TlsFailure::kTlsaInvalid,
             Cat("the TLSA records of ", host, " cannot be had: ", dane.detail));
      return true;
    }
    case DaneState::kUsable:
      requirement.mode = TlsMode::kVerified;
      requirement.server_name = dane.base_domain;
      requirement.tlsa = dane.records;
      return true;
    case DaneState::kUnusable:
      requirement.mode = std::max(requirement.mode, TlsMode::kRequired);
      return false;
    case DaneState::kNone:
      break;
  }
  return false;
}

}  // namespace

TlsPlan PlanTls(TlsMode shaping, const DomainTls* domain, const std::string& host,
                const DaneAnswer& dane) {
  TlsPlan plan;
  plan.requirement.mode = shaping;
  plan.requirement.server_name = host;
  if (shaping == TlsMode::kOff || PlanDane(plan, host, dane)) return plan;
  if (domain == nullptr || domain->sts == nullptr || domain->sts->policy == nullptr) return plan;
  const StsPolicy& policy = *domain->sts->policy;
  if (policy.mode == StsMode::kNone) return plan;
  if (plan.policy == TlsPolicyType::kNone) plan.policy = TlsPolicyType::kSts;
  if (policy.mode == StsMode::kTesting) return plan;
  plan.requirement.mode = TlsMode::kVerified;
  if (!NamesMx(policy, host)) {
    Refuse(plan, TlsFailure::kCertificateHostMismatch,
           Cat("MX host ", host, " is not named by the MTA-STS policy of ", domain->domain));
  }
  return plan;
}

TlsSession JudgeSession(const TlsPlan& plan, const DomainTls& domain, const std::string& host,
                        const TlsFacts* facts) {
  TlsSession session;
  session.policy = plan.policy;
  const bool has_sts = domain.sts != nullptr && domain.sts->policy != nullptr;
  if (plan.policy == TlsPolicyType::kNone && domain.sts != nullptr && !has_sts &&
      domain.sts->failure != TlsFailure::kNone) {
    session.policy = TlsPolicyType::kSts;
    session.failure = domain.sts->failure;
    session.detail = domain.sts->detail;
  } else if (facts == nullptr) {
    session.failure = TlsFailure::kStarttlsNotSupported;
  } else if (plan.policy == TlsPolicyType::kSts && has_sts) {
    const bool is_named = NamesMx(*domain.sts->policy, host);
    session.failure = is_named ? facts->why_not : TlsFailure::kCertificateHostMismatch;
    session.detail = is_named ? facts->why_not_verified : "the policy does not name this MX host";
  }
  return session;
}

}  // namespace sluice::egress
