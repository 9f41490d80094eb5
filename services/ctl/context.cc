#include "ctl/context.h"

#include <unistd.h>

#include <fstream>
#include <iostream>
#include <sstream>

#include "base/text.h"
#include "ctl/output.h"
#include "wire/status.h"

namespace sluice::ctl {

wire::CredentialsConfig Context::CredentialsFor(const std::string& address) const {
  wire::CredentialsConfig out = tls;
  if (out.ca.empty() && out.cert.empty() && wire::IsLocalAddress(address)) out.plaintext = true;
  return out;
}

int Refuse(const Context& context, const absl::Status& status) {
  const auto violations = wire::FieldViolationsOf(status);
  if (violations.empty()) {
    context.io.err << "sluicectl: " << Printable(View(status.message())) << "\n";
  }
  for (const wire::FieldViolation& violation : violations) {
    context.io.err << "sluicectl: " << Printable(violation.field) << ": "
                   << Printable(violation.description) << "\n";
  }
  if (const auto delay = wire::RetryDelayOf(status)) {
    context.io.err << "sluicectl: try again after " << ToString(*delay) << "\n";
  }
  return kRefused;
}

std::string Author(const Context& context, const std::string& given) {
  if (!given.empty()) return given;
  const char* user = context.io.env("USER");
  char host[256] = "";
  if (::gethostname(host, sizeof(host) - 1) != 0) host[0] = '\0';
  return Cat(user == nullptr ? "unknown" : user, "@", host);
}

int RefuseUsage(const Context& context, std::string_view what) {
  context.io.err << "sluicectl: " << what << "\n";
  return kUsage;
}

absl::StatusOr<std::string> ReadInput(const Context& context, const std::string& path,
                                      size_t most_bytes) {
  std::ifstream file;
  if (path != "-") {
    file.open(path, std::ios::binary);
    if (!file) return absl::NotFoundError(Cat("cannot read '", path, "'"));
  }
  std::istream& in = path == "-" ? context.io.in : file;
  std::string out;
  char part[64 * 1024];
  while (in.read(part, sizeof(part)), in.gcount() > 0) {
    out.append(part, static_cast<size_t>(in.gcount()));
    if (out.size() > most_bytes) {
      return absl::InvalidArgumentError(Cat("'", path, "' is larger than ", most_bytes, " bytes"));
    }
  }
  if (in.bad()) return absl::NotFoundError(Cat("cannot read '", path, "'"));
  return out;
}

}  // namespace sluice::ctl
