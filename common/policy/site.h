// The name of what stands behind a recipient domain. Where the provider is known it is the MX host set: limits are the provider's
// anyway, and the set tells apart what a provider keeps apart (regions of a filter). Where it is `other` it is the registrable
// domain of the best MX host, so that one hosting company with a host name for each customer is one site. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mail/mx_host.h"

namespace sluice {

// Hosts by preference then name, joined by `|`; a long one is cut and ends in its hash. A domain without MX (`hosts` empty) is its
// own host.
std::string MxSetName(std::string_view domain, const std::vector<MxHost>& hosts);

// `hosts` as above. `provider` as the catalogue says.
std::string SiteName(std::string_view domain, const std::vector<MxHost>& hosts,
                     std::string_view provider);

// The domain that somebody registered: mail.shop.example.co.uk → example.co.uk, by the public suffix list of the distribution. A
// public suffix, an address literal and a name of one label stand for themselves. `host` in lower case, in A-labels.
std::string RegistrableDomain(std::string_view host);

}  // namespace sluice
