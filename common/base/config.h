// A service's configuration: YAML keys bound to fields. Unknown keys, wrong types and values out of
// bounds are refused with file and line; `SLUICE_<SERVICE>_<KEY>` in the environment overrides the file
// (dots and case folded: `postgres.url` → SLUICE_INGEST_POSTGRES_URL).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "base/clock.h"

namespace sluice {

class Config {
 public:
  // `service` names the environment prefix: "ingest", "scheduler", "egress".
  explicit Config(std::string service);

  // Each field keeps its present value as the default. Fields must outlive the Config.
  void Bind(std::string key, std::string& field, std::string help);
  void Bind(std::string key, bool& field, std::string help);
  void Bind(std::string key, Duration& field, std::string help);
  void Bind(std::string key, std::vector<std::string>& field, std::string help);
  // Bounds are inclusive.
  void Bind(std::string key, int64_t& field, int64_t least, int64_t most, std::string help);

  // Reads `path` ("" = no file), then the environment. Nothing is guaranteed about the fields after an error.
  [[nodiscard]] absl::Status Load(const std::string& path);
  using GetEnv = std::function<const char*(const char*)>;
  [[nodiscard]] absl::Status LoadText(std::string_view yaml, std::string_view name, const GetEnv& get_env);

  // "key (default): help" for every key, for --help.
  std::string Help() const;

 private:
  struct Integer {
    int64_t* field;
    int64_t least, most;
  };
  struct Binding {
    std::string key;
    std::variant<std::string*, bool*, Duration*, std::vector<std::string>*, Integer> field;
    std::string help;
    std::string default_text;
  };
  absl::Status Set(const Binding& binding, const std::vector<std::string>& values, bool is_list) const;
  void Add(Binding binding);

  std::string service_;
  std::vector<Binding> bindings_;
};

}  // namespace sluice
