// How the session with one MX host has to be encrypted: what the shaping rules, DANE and MTA-STS ask
// for together. Pure.
//
// DANE has precedence over MTA-STS (RFC 8461 §2); neither lowers what the shaping rules ask for; a
// rule that says `off` turns both off.
#pragma once

#include <optional>
#include <string>

#include "egress/domain_tls.h"
#include "egress/tls_results.h"
#include "mail/smtp_reply.h"
#include "net/dane.h"
#include "net/tls.h"
#include "smtp/tls_report.h"

namespace sluice::egress {

struct TlsPlan {
  TlsRequirement requirement;
  // The policy that the session is judged by in reports.
  TlsPolicyType policy = TlsPolicyType::kNone;
  // The host must not be used now: why.
  std::optional<SmtpReply> refusal;
  TlsFailure failure = TlsFailure::kNone;  // with a refusal
};

// `domain` may be null: nothing is known to be asked for.
TlsPlan PlanTls(TlsMode shaping, const DomainTls* domain, const std::string& host,
                const DaneAnswer& dane);

// What a session that was opened means in a report: in testing mode of MTA-STS mail flows whatever
// the certificate, and the report tells. `facts` null: it is in plain text.
TlsSession JudgeSession(const TlsPlan& plan, const DomainTls& domain, const std::string& host,
                        const TlsFacts* facts);

}  // namespace sluice::egress
