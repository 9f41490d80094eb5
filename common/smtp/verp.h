// Variable envelope return paths: each recipient's copy gets a return path of its own, so that a
// bounce, however it is written, says whose it is.
//
//   b-TOKEN@bounces.shop.example          TOKEN: smtp/token.h
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace sluice {

// `token` is a recipient's token, or the placeholder for it.
std::string MakeVerpAddress(std::string_view token, std::string_view domain);

// The token of an address that MakeVerpAddress has the form of, without angle brackets and in any
// case; whether it is genuine says TokenKeys::Decode, whether the domain is ours the caller.
std::optional<std::string_view> TokenOfVerpAddress(std::string_view address);

}  // namespace sluice
