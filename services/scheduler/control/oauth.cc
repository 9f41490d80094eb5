#include "scheduler/control/oauth.h"

#include <openssl/evp.h>

#include <array>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/status.h"
#include "base/text.h"
#include "policy/json_answer.h"
#include "policy/oauth_tokens.h"
#include "scheduler/control/token_seal.h"

namespace sluice::scheduler {
namespace {

constexpr auto kMargin = std::chrono::seconds(60);
constexpr size_t kMostBytes = 64 << 10;

absl::StatusOr<nlohmann::json> ReadCredentials(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::NotFoundError(Cat("cannot read ", Quoted(path)));
  std::string text(kMostBytes, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(file.gcount()));
  const auto json = ParseJsonAnswer(text);
  const bool whole = json.ok() && !JsonText(JsonMember(*json, "client_id")).empty() && !JsonText(JsonMember(*json, "refresh_token")).empty();
  if (!whole) return absl::InvalidArgumentError(Cat(path, ": must be a JSON object with client_id and refresh_token"));
  return *json;
}

std::string DigestOf(const std::string& text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr);
  std::string out;
  for (unsigned i = 0; i < size; ++i) {
    out += kHex[digest[i] >> 4];
    out += kHex[digest[i] & 15];
  }
  return out;
}

}  // namespace

absl::StatusOr<std::string> OauthTokenSource::Header() {
  // What rotated while the store could not be reached.
  RETURN_IF_ERROR(Keep());
  if (access_token_.empty() || clock_.Steady() >= expires_at_) RETURN_IF_ERROR(Refresh());
  return Cat("Authorization: Bearer ", access_token_);
}

absl::StatusOr<std::string> OauthTokenSource::Current(const std::string& seed, const std::string& from_file) {
  ASSIGN_OR_RETURN(const auto stored, store_.Find(options_.name));
  if (!stored || stored->seed != seed) return from_file;
  return OpenToken(stored->refresh_token, from_file, options_.name).value_or(from_file);
}

absl::Status OauthTokenSource::Keep() {
  if (!unstored_) return absl::OkStatus();
  RETURN_IF_ERROR(store_.Put(options_.name, *unstored_));
  unstored_.reset();
  return absl::OkStatus();
}

absl::Status OauthTokenSource::Refresh() {
  access_token_.clear();
  ASSIGN_OR_RETURN(const nlohmann::json credentials, ReadCredentials(options_.credentials_file));
  const auto field = [&](const char* name) { return JsonText(JsonMember(credentials, name), kMostBytes); };
  const std::string from_file = field("refresh_token");
  const std::string seed = DigestOf(from_file);
  ASSIGN_OR_RETURN(const std::string refresh_token, Current(seed, from_file));
  std::vector<std::pair<std::string, std::string>> form = {
      {"grant_type", "refresh_token"}, {"client_id", field("client_id")}, {"refresh_token", refresh_token}};
  if (std::string secret = field("client_secret"); !secret.empty()) form.emplace_back("client_secret", std::move(secret));
  if (!options_.scope.empty()) form.emplace_back("scope", options_.scope);
  const HttpsAnswer answer =
      ask_({.url = options_.token_url, .headers = {"Content-Type: application/x-www-form-urlencoded"}, .body = FormOf(form)});
  const auto tokens = ParseOauthTokens(answer.body);
  if (absl::IsPermissionDenied(tokens.status()) && !absl::IsCancelled(answer.status)) {
    return absl::PermissionDeniedError(
        Cat(View(tokens.status().message()), "; sign in again and put the new refresh token into ", options_.credentials_file));
  }
  if (!answer.status.ok()) return answer.status;
  if (!tokens.ok()) return tokens.status();
  access_token_ = tokens->access_token;
  expires_at_ = clock_.Steady() + std::max<Duration>(tokens->expires_in - kMargin, std::chrono::seconds(1));
  if (tokens->refresh_token.empty() || tokens->refresh_token == refresh_token) return absl::OkStatus();
  unstored_ = storage::RotatedToken{
      .seed = seed, .refresh_token = SealToken(tokens->refresh_token, from_file, options_.name), .rotated_at = clock_.Now()};
  return Keep();
}

}  // namespace sluice::scheduler
