#include "scheduler/control/oauth.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/status.h"
#include "base/text.h"
#include "policy/json_answer.h"
#include "policy/oauth_tokens.h"

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

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  const int fd_;
};

}  // namespace

absl::StatusOr<std::string> OauthTokenSource::Header() {
  if (access_token_.empty() || clock_.Steady() >= expires_at_) RETURN_IF_ERROR(Refresh());
  return Cat("Authorization: Bearer ", access_token_);
}

absl::Status OauthTokenSource::Refresh() {
  access_token_.clear();
  ASSIGN_OR_RETURN(nlohmann::json credentials, ReadCredentials(options_.credentials_file));
  const std::string part = options_.credentials_file + ".part";
  const Fd fd(options_.rotates ? ::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600) : -1);
  if (options_.rotates && fd.get() < 0) {
    return absl::PermissionDeniedError(
        Cat("cannot write ", Quoted(part), ": the refresh token rotates, so the directory of the credentials must be writable"));
  }
  std::vector<std::pair<std::string, std::string>> form = {{"grant_type", "refresh_token"}};
  for (const char* field : {"client_id", "client_secret", "refresh_token"}) {
    if (std::string value = JsonText(JsonMember(credentials, field), kMostBytes); !value.empty()) form.emplace_back(field, std::move(value));
  }
  if (!options_.scope.empty()) form.emplace_back("scope", options_.scope);
  const HttpsAnswer answer =
      ask_({.url = options_.token_url, .headers = {"Content-Type: application/x-www-form-urlencoded"}, .body = FormOf(form)});
  const auto tokens = ParseOauthTokens(answer.body);
  if (!tokens.ok() || !answer.status.ok()) {
    if (options_.rotates) std::remove(part.c_str());
    if (!absl::IsPermissionDenied(tokens.status())) return answer.status.ok() ? tokens.status() : answer.status;
    return absl::PermissionDeniedError(
        Cat(View(tokens.status().message()), "; sign in again and put the new refresh token into ", options_.credentials_file));
  }
  access_token_ = tokens->access_token;
  expires_at_ = clock_.Steady() + std::max<Duration>(tokens->expires_in - kMargin, std::chrono::seconds(1));
  if (!options_.rotates) return absl::OkStatus();
  if (!tokens->refresh_token.empty()) credentials["refresh_token"] = tokens->refresh_token;
  return Replace(std::move(credentials), fd.get());
}

absl::Status OauthTokenSource::Replace(nlohmann::json credentials, int fd) {
  const std::string& file = options_.credentials_file;
  const std::string text = credentials.dump() + "\n";
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
  if (written && std::rename((file + ".part").c_str(), file.c_str()) == 0) return absl::OkStatus();
  return absl::PermissionDeniedError(Cat("cannot write ", Quoted(file), ": the refresh token has rotated and is lost; sign in again"));
}

}  // namespace sluice::scheduler
