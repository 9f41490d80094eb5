// Which DKIM keys sign whose mail: pure. A key of the policy signs for the tenants that own its
// domain, mail whose From domain is that domain or below it; of several such domains the longest
// one signs, with all its keys. No other tenant's mail is ever signed by it, even when that tenant
// may send as a subdomain.
#pragma once

#include <vector>

#include "mail/policy_document.h"
#include "mail/signing_key.h"

namespace sluice {

// In the order of the document: tenants, then keys.
std::vector<SigningKey> SigningKeysOf(const PolicyDocument& policy);

}  // namespace sluice
