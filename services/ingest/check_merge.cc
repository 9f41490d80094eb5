#include "ingest/check_merge.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "mail/header_address.h"
#include "mail/limits.h"
#include "mail/merge_template.h"

namespace sluice::ingest {
namespace {

MergeTemplate::Values ValuesOf(const RecipientRequest& recipient) {
  return [&recipient](std::string_view name) -> std::optional<std::string_view> {
    const auto found =
        std::find_if(recipient.merge_values.begin(), recipient.merge_values.end(),
                     [name](const auto& pair) { return pair.first == name; });
    if (found == recipient.merge_values.end()) return std::nullopt;
    return found->second;
  };
}

// A value may name the author; whose domain that is must stay the tenant's.
void CheckAuthors(const MergeTemplate& content, const TenantPolicy& tenant,
                  const MergeTemplate::Values& values, const std::string& field,
                  Violations& wrong) {
  for (const std::string_view header : std::array<std::string_view, 2>{"from", "sender"}) {
    const auto value = content.RenderField(header, values);
    if (!value.ok() || !value->has_value()) continue;
    const auto addresses = ParseMailboxList(**value);
    if (!addresses.ok()) {
      wrong.Add(field, Cat("with these values the header '", header,
                           "': ", addresses.status().message()));
      continue;
    }
    for (const EmailAddress& address : *addresses) {
      if (MaySendAs(tenant, address.domain())) continue;
      wrong.Deny(field, Cat("with these values the header '", header, "' names ",
                            Quoted(address.ToString()), ", which is of no sender domain of tenant ",
                            Quoted(tenant.name), ": give other values"));
    }
  }
}

}  // namespace

void CheckMerge(const SubmissionRequest& request, const TenantPolicy& tenant,
                const ContentFacts& facts, Violations& wrong) {
  const std::string added =
      request.list_unsubscribe_url.empty()
          ? ""
          : Cat("List-Unsubscribe: <", request.list_unsubscribe_url, ">\r\n");
  const auto url = MergeTemplate::Compile(added, "");
  const auto content = MergeTemplate::Compile("", facts.Bytes(request.content));
  if (!url.ok()) wrong.Add("list_unsubscribe_url", url.status());
  if (!content.ok()) wrong.Add("content", content.status());
  if (!url.ok() || !content.ok()) return;
  for (size_t i = 0; i < request.recipients.size(); ++i) {
    const std::string field = Cat("recipients[", i, "].merge_values");
    const MergeTemplate::Values values = ValuesOf(request.recipients[i]);
    absl::Status status = content->Check(values, limits::kContentBytes);
    if (status.ok()) status = url->Check(values, limits::kHeaderBytes);
    if (status.ok()) {
      CheckAuthors(*content, tenant, values, field, wrong);
    } else {
      wrong.Add(field, status);
    }
  }
}

}  // namespace sluice::ingest
