#include "base/config.h"

#include <yaml-cpp/yaml.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "base/text.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "base/status.h"

namespace sluice {
namespace {

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

// Flattens nested maps to dotted keys; each leaf with its line.
struct Leaf {
  std::string key;
  std::vector<std::string> values;
  bool is_list = false;
  int line = 0;
};

absl::Status Flatten(const YAML::Node& node, const std::string& prefix, std::string_view name,
                     std::vector<Leaf>& out) {
  for (const auto& pair : node) {
    const int line = pair.first.Mark().line + 1;
    if (!pair.first.IsScalar()) {
      return absl::InvalidArgumentError(Cat(name, ":", line, ": a key must be a word"));
    }
    const std::string key = Cat(prefix, pair.first.Scalar());
    const YAML::Node& value = pair.second;
    if (value.IsMap()) {
      RETURN_IF_ERROR(Flatten(value, key + ".", name, out));
      continue;
    }
    Leaf leaf{.key = key, .values = {}, .is_list = value.IsSequence(), .line = line};
    if (value.IsScalar()) leaf.values.push_back(value.Scalar());
    if (value.IsSequence()) {
      for (const auto& item : value) {
        if (!item.IsScalar()) {
          return absl::InvalidArgumentError(
              Cat(name, ":", line, ": '", key, "' takes a list of words"));
        }
        leaf.values.push_back(item.Scalar());
      }
    }
    if (value.IsNull()) leaf.values.emplace_back();
    for (const Leaf& earlier : out) {
      if (earlier.key == key) {
        return absl::InvalidArgumentError(
            Cat(name, ":", line, ": key '", key, "' stands twice (first on line ", earlier.line, ")"));
      }
    }
    out.push_back(std::move(leaf));
  }
  return absl::OkStatus();
}

std::string Upper(std::string text) {
  for (char& c : text) c = absl::ascii_toupper(static_cast<unsigned char>(c));
  return text;
}

absl::Status SetInteger(const std::string& text, int64_t least, int64_t most, int64_t& field) {
  int64_t value = 0;
  if (!absl::SimpleAtoi(text, &value) || value < least || value > most) {
    return absl::InvalidArgumentError(
        Cat("'", text, "' must be a whole number from ", least, " to ", most));
  }
  field = value;
  return absl::OkStatus();
}

}  // namespace

Config::Config(std::string service) : service_(std::move(service)) {}

void Config::Add(Binding binding) { bindings_.push_back(std::move(binding)); }

void Config::Bind(std::string key, std::string& field, std::string help) {
  Add({std::move(key), &field, std::move(help), field});
}
void Config::Bind(std::string key, bool& field, std::string help) {
  Add({std::move(key), &field, std::move(help), field ? "true" : "false"});
}
void Config::Bind(std::string key, Duration& field, std::string help) {
  Add({std::move(key), &field, std::move(help), ToString(field)});
}
void Config::Bind(std::string key, std::vector<std::string>& field, std::string help) {
  Add({std::move(key), &field, std::move(help), Cat("[", absl::StrJoin(field, ", "), "]")});
}
void Config::Bind(std::string key, int64_t& field, int64_t least, int64_t most, std::string help) {
  Add({std::move(key), Integer{&field, least, most}, std::move(help), Cat(field)});
}

absl::Status Config::Set(const Binding& binding, const std::vector<std::string>& values,
                         bool is_list) const {
  if (const auto* list = std::get_if<std::vector<std::string>*>(&binding.field)) {
    **list = values;
    return absl::OkStatus();
  }
  if (is_list || values.size() != 1) return absl::InvalidArgumentError("takes one value, not a list");
  const std::string& text = values[0];
  return std::visit(
      Overloaded{[&](std::string* field) {
                   *field = text;
                   return absl::OkStatus();
                 },
                 [&](bool* field) {
                   if (text != "true" && text != "false") {
                     return absl::InvalidArgumentError(Cat("'", text, "' must be true or false"));
                   }
                   *field = text == "true";
                   return absl::OkStatus();
                 },
                 [&](Duration* field) -> absl::Status {
                   ASSIGN_OR_RETURN(*field, ParseDuration(text));
                   return absl::OkStatus();
                 },
                 [&](std::vector<std::string>*) { return absl::OkStatus(); },
                 [&](const Integer& field) {
                   return SetInteger(text, field.least, field.most, *field.field);
                 }},
      binding.field);
}

absl::Status Config::Load(const std::string& path) {
  std::string text;
  if (!path.empty()) {
    std::ifstream file(path);
    if (!file) return absl::NotFoundError(Cat("cannot read the configuration file '", path, "'"));
    std::ostringstream all;
    all << file.rdbuf();
    text = all.str();
  }
  return LoadText(text, path, [](const char* name) -> const char* { return std::getenv(name); });
}

absl::Status Config::LoadText(std::string_view yaml, std::string_view name, const GetEnv& get_env) {
  std::vector<Leaf> leaves;
  try {
    const YAML::Node root = YAML::Load(std::string(yaml));
    if (!root.IsNull() && !root.IsMap()) {
      return absl::InvalidArgumentError(Cat(name, ":1: must be a map of keys"));
    }
    RETURN_IF_ERROR(Flatten(root, "", name, leaves));
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(
        Cat(name, ":", error.mark.line + 1, ": not valid YAML: ", error.msg));
  }
  for (const Leaf& leaf : leaves) {
    const Binding* found = nullptr;
    for (const Binding& binding : bindings_) {
      if (binding.key == leaf.key) found = &binding;
    }
    if (found == nullptr) {
      return absl::InvalidArgumentError(Cat(name, ":", leaf.line, ": unknown key '", leaf.key,
                                                     "'; --help lists the keys"));
    }
    if (const absl::Status set = Set(*found, leaf.values, leaf.is_list); !set.ok()) {
      return absl::InvalidArgumentError(
          Cat(name, ":", leaf.line, ": ", leaf.key, ": ", set.message()));
    }
  }
  for (const Binding& binding : bindings_) {
    const std::string variable = Upper(
        Cat("SLUICE_", service_, "_", absl::StrReplaceAll(binding.key, {{".", "_"}})));
    const char* value = get_env(variable.c_str());
    if (value == nullptr) continue;
    const bool is_list = std::holds_alternative<std::vector<std::string>*>(binding.field);
    std::vector<std::string> values = {value};
    if (is_list) values = absl::StrSplit(absl::string_view(value), ',', absl::SkipEmpty());
    if (const absl::Status set = Set(binding, values, is_list); !set.ok()) {
      return absl::InvalidArgumentError(Cat(variable, ": ", set.message()));
    }
  }
  return absl::OkStatus();
}

std::string Config::Help() const {
  std::string out;
  for (const Binding& binding : bindings_) {
    Append(out, "  ", binding.key, " (", binding.default_text.empty() ? "\"\"" : binding.default_text,
                    ")\n      ", binding.help, "\n");
  }
  return out;
}

}  // namespace sluice
