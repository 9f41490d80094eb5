#include "egress/render.h"

#include "base/status.h"

namespace sluice::egress {

bool IsSameForAll(const Content& content) { return !content.fields().has_merge; }

absl::Status Render(const Entry& entry, Rendered& out) {
  if (entry.content->fields().has_merge) {
    return absl::UnimplementedError("merge fields cannot be rendered here");
  }
  out.pieces[0] = entry.content->fields().prepended_headers;
  ASSIGN_OR_RETURN(out.pieces[1], entry.content->Body(out.body));
  return absl::OkStatus();
}

}  // namespace sluice::egress
