// The policy as people write it: YAML whose keys are the fields of sluice.v1.Policy, in snake_case
// or lowerCamel. It is read by the schema itself, so whatever the proto gains is readable here;
// scalars of string fields stay text (`rate: 500/s`, `start: 2026-12-01`). Remembers the line of
// everything, for errors found later too.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "mail/policy_document.h"

namespace sluice::v1 {
class Policy;
}

namespace sluice::wire {

// Where each path of a document stands.
class PathLines {
 public:
  void Set(std::string path, int line) { lines_[std::move(path)] = line; }
  // Of the path or of what holds it; 1 when nothing is known.
  int LineOf(std::string_view path) const;

 private:
  std::map<std::string, int, std::less<>> lines_;
};

struct YamlPolicy {
  // Empty when all was understood: unknown keys, wrong kinds of value, keys that stand twice, YAML
  // that does not parse.
  std::vector<PolicyFinding> findings;
  PathLines lines;
};

// What was understood is in `out`. Texts beyond 16 MB and more than 1,000 findings are cut short.
YamlPolicy ReadPolicyYaml(std::string_view yaml, v1::Policy* out);

// The policy as YAML that ReadPolicyYaml reads back: one line for every element of a list, in the order of the schema, so that
// two policies compare line by line.
std::string WritePolicyYaml(const v1::Policy& policy);

// "policy.yaml:12: pools[1].members[0].weight: must be …", with "warning: " before the path's text
// where it is one.
std::string Describe(std::string_view file, const PathLines& lines, const PolicyFinding& finding);

}  // namespace sluice::wire
