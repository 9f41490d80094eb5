#include <ostream>

#include "base/text.h"
#include "ctl/output.h"
#include "ctl/policy_file.h"
#include "ctl/verbs.h"
#include "sluice/v1/policy.pb.h"
#include "wire/policy_convert.h"
#include "wire/policy_yaml.h"

namespace sluice::ctl {
namespace {

constexpr size_t kMostPolicyBytes = 16 * 1024 * 1024;

}  // namespace

int ReadPolicyFile(const Context& context, const std::string& file, v1::Policy* out) {
  const auto text = ReadInput(context, file, kMostPolicyBytes);
  if (!text.ok()) return RefuseUsage(context, View(text.status().message()));
  const wire::YamlPolicy read = wire::ReadPolicyYaml(*text, out);
  std::vector<PolicyFinding> findings = read.findings;
  // What follows from a key that was not understood is no news.
  if (findings.empty()) {
    PolicyDocument document;
    findings = wire::ValidatePolicy(*out, &document);
  }
  const std::string name = file == "-" ? "standard input" : file;
  for (const PolicyFinding& finding : findings) {
    context.io.err << Printable(wire::Describe(name, read.lines, finding)) << "\n";
  }
  return wire::HasErrors(findings) ? kRefused : kOk;
}

int Validate(const Context& context, const std::string& file) {
  v1::Policy policy;
  const int code = ReadPolicyFile(context, file, &policy);
  if (code == kOk)
    context.io.out << (file == "-" ? "standard input" : file) << ": can be applied\n";
  return code;
}

}  // namespace sluice::ctl
