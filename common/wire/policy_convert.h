// sluice.v1.Policy ⇄ PolicyDocument ⇄ proto JSON text, which is what storage keeps. The last two
// functions are for those who must not see proto types.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "mail/policy_document.h"

namespace sluice::v1 {
class Match;
class Policy;
class AutomationRule;
class ShapingRule;
class ReplyRule;
}  // namespace sluice::v1

namespace sluice::wire {

// Findings are values that do not parse (rates, durations, dates, names of modes), each with its
// path; `out` holds defaults in their place. Domains and addresses come out canonical where they
// are valid; that they are is for CheckPolicy to say.
std::vector<PolicyFinding> FromProto(const v1::Policy& policy, PolicyDocument* out);
void ToProto(const PolicyDocument& policy, v1::Policy* out);
void ToProto(const Match& match, v1::Match* out);
// One rule; the paths of findings begin with `rule`.
std::vector<PolicyFinding> FromProto(const v1::ShapingRule& rule, ShapingRule* out);
void ToProto(const ShapingRule& rule, v1::ShapingRule* out);
std::vector<PolicyFinding> FromProto(const v1::AutomationRule& rule, AutomationRule* out);
void ToProto(const AutomationRule& rule, v1::AutomationRule* out);
Match FromProto(const v1::Match& match);
void ToProto(const ReplyRule& rule, v1::ReplyRule* out);
// What does not parse stays at its default: for rules that were checked before.
ReplyRule FromProto(const v1::ReplyRule& rule);

// FromProto and CheckPolicy: all there is to say before a policy is applied.
std::vector<PolicyFinding> ValidatePolicy(const v1::Policy& policy, PolicyDocument* out);
bool HasErrors(const std::vector<PolicyFinding>& findings);

// snake_case field names, in the order of the schema.
absl::StatusOr<std::string> PolicyToJson(const v1::Policy& policy);
// Fields that this version does not know are passed over: a newer one may have stored the text.
absl::Status PolicyFromJson(std::string_view json, v1::Policy* out);

absl::StatusOr<PolicyDocument> PolicyDocumentFromJson(std::string_view json);
absl::StatusOr<std::string> PolicyDocumentToJson(const PolicyDocument& policy);

}  // namespace sluice::wire
