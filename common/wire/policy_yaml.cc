#include "wire/policy_yaml.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <yaml-cpp/yaml.h>

#include <charconv>
#include <set>

#include "base/check.h"
#include "base/text.h"
#include "sluice/v1/policy.pb.h"

namespace sluice::wire {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr size_t kMostBytes = 16 * 1024 * 1024;
constexpr size_t kMostFindings = 1'000;

const FieldDescriptor* FindField(const Descriptor& type, const std::string& key) {
  if (const FieldDescriptor* field = type.FindFieldByName(key)) return field;
  for (int i = 0; i < type.field_count(); ++i) {
    if (type.field(i)->json_name() == key) return type.field(i);
  }
  return nullptr;
}

std::string FieldNames(const Descriptor& type) {
  std::string out;
  for (int i = 0; i < type.field_count(); ++i) {
    Append(out, i == 0 ? "" : ", ", type.field(i)->name());
  }
  return out;
}

template <class Number>
bool ParseWhole(const std::string& text, Number& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

// Walks a YAML tree and a message's type side by side.
class Reader {
 public:
  explicit Reader(YamlPolicy& out) : out_(out) {}

  void ReadMessage(const YAML::Node& node, const std::string& path, Message& message) {
    if (!node.IsMap()) return Refuse(path, "takes a map of keys");
    std::set<const FieldDescriptor*> seen;
    for (const auto& pair : node) {
      const int line = pair.first.Mark().line + 1;
      if (!pair.first.IsScalar()) {
        Refuse(path, "a key must be a word");
        continue;
      }
      const std::string& key = pair.first.Scalar();
      const FieldDescriptor* field = FindField(*message.GetDescriptor(), key);
      const std::string below =
          Cat(path, path.empty() ? "" : ".", field == nullptr ? key : field->name());
      if (field == nullptr) {
        out_.lines.Set(below, line);
        Refuse(below, Cat("unknown key; known here: ", FieldNames(*message.GetDescriptor())));
      } else if (!seen.insert(field).second) {
        out_.findings.push_back({below, Cat("stands twice, again on line ", line)});
      } else {
        out_.lines.Set(below, line);
        ReadField(pair.second, below, *field, message);
      }
    }
  }

 private:
  void Refuse(const std::string& path, std::string description) {
    if (out_.findings.size() < kMostFindings)
      out_.findings.push_back({path, std::move(description)});
  }

  void ReadField(const YAML::Node& node, const std::string& path, const FieldDescriptor& field,
                 Message& message) {
    if (node.IsNull()) return Refuse(path, "has no value; write one or leave the key out");
    if (field.is_map()) return ReadMap(node, path, field, message);
    if (!field.is_repeated()) return ReadValue(node, path, field, message);
    if (!node.IsSequence()) return Refuse(path, "takes a list");
    int index = 0;
    for (const auto& item : node) {
      const std::string below = Cat(path, "[", index++, "]");
      out_.lines.Set(below, item.Mark().line + 1);
      ReadValue(item, below, field, message);
    }
  }

  void ReadMap(const YAML::Node& node, const std::string& path, const FieldDescriptor& field,
               Message& message) {
    if (!node.IsMap()) return Refuse(path, "takes a map of names to values");
    const FieldDescriptor* key_field = field.message_type()->map_key();
    const FieldDescriptor* value_field = field.message_type()->map_value();
    std::set<std::string> seen;
    for (const auto& pair : node) {
      if (!pair.first.IsScalar()) {
        Refuse(path, "a name must be a word");
        continue;
      }
      const std::string below = Cat(path, "[\"", pair.first.Scalar(), "\"]");
      out_.lines.Set(below, pair.first.Mark().line + 1);
      if (!seen.insert(pair.first.Scalar()).second) {
        Refuse(below, "stands twice");
        continue;
      }
      Message* entry = message.GetReflection()->AddMessage(&message, &field);
      entry->GetReflection()->SetString(entry, key_field, pair.first.Scalar());
      ReadValue(pair.second, below, *value_field, *entry);
    }
  }

  void ReadValue(const YAML::Node& node, const std::string& path, const FieldDescriptor& field,
                 Message& message) {
    const auto& reflection = *message.GetReflection();
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      return ReadMessage(node, path,
                         field.is_repeated() ? *reflection.AddMessage(&message, &field)
                                             : *reflection.MutableMessage(&message, &field));
    }
    if (!node.IsScalar()) {
      // Keeps the numbering of a list right for what is said later.
      if (field.is_repeated()) reflection.AddString(&message, &field, "");
      return Refuse(path, "takes one value");
    }
    ReadScalar(node.Scalar(), path, field, message);
  }

  void ReadScalar(const std::string& text, const std::string& path, const FieldDescriptor& field,
                  Message& message) {
    const auto& reflection = *message.GetReflection();
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
        if (field.is_repeated()) return reflection.AddString(&message, &field, text);
        return reflection.SetString(&message, &field, text);
      case FieldDescriptor::CPPTYPE_BOOL:
        if (text != "true" && text != "false")
          return Refuse(path, Cat(Quoted(text), " must be true or false"));
        return reflection.SetBool(&message, &field, text == "true");
      case FieldDescriptor::CPPTYPE_INT32: {
        int32_t value = 0;
        if (!ParseWhole(text, value))
          return Refuse(path, Cat(Quoted(text), " must be a whole number"));
        return reflection.SetInt32(&message, &field, value);
      }
      case FieldDescriptor::CPPTYPE_INT64: {
        const auto value = ParseCount(text);
        if (!value.ok()) return Refuse(path, Cat(value.status().message()));
        return reflection.SetInt64(&message, &field, *value);
      }
      case FieldDescriptor::CPPTYPE_DOUBLE: {
        double value = 0;
        if (!ParseWhole(text, value)) return Refuse(path, Cat(Quoted(text), " must be a number"));
        return reflection.SetDouble(&message, &field, value);
      }
      default:
        SLUICE_CHECK(!"a kind of field that the policy has not had before");
    }
  }

  YamlPolicy& out_;
};

}  // namespace

int PathLines::LineOf(std::string_view path) const {
  while (true) {
    if (const auto found = lines_.find(path); found != lines_.end()) return found->second;
    if (path.empty()) return 1;
    const size_t cut = path.find_last_of(".[");
    path = path.substr(0, cut == std::string_view::npos ? 0 : cut);
  }
}

YamlPolicy ReadPolicyYaml(std::string_view yaml, v1::Policy* out) {
  YamlPolicy result;
  out->Clear();
  if (yaml.size() > kMostBytes) {
    result.findings.push_back({"", "the file is larger than 16 MB"});
    return result;
  }
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(std::string(yaml));
    if (documents.size() > 1) {
      result.findings.push_back({"", "holds more than one document; a policy is one"});
      return result;
    }
    if (documents.empty() || documents[0].IsNull()) return result;
    Reader(result).ReadMessage(documents[0], "", *out);
  } catch (const YAML::Exception& error) {
    result.lines.Set("", error.mark.line + 1);
    result.findings.push_back({"", Cat("not valid YAML: ", error.msg)});
  }
  return result;
}

std::string Describe(std::string_view file, const PathLines& lines, const PolicyFinding& finding) {
  return Cat(file, ":", lines.LineOf(finding.path), ": ",
             finding.is_error ? "" : "warning: ", finding.path, finding.path.empty() ? "" : ": ",
             finding.description);
}

}  // namespace sluice::wire
