#!/bin/sh
# Lints the contract (buf, STANDARD rules) and compares it with an earlier commit: nothing that clients or a rolling
# upgrade rely on may break. Usage: tests/lint/proto.sh [COMMIT], default the parent of HEAD. Takes seconds.
# buf comes from PATH or $BUF, else from the npm registry (@bufbuild/buf) into build/buf.
# Ends `proto: ok`. Exit 1: findings. Exit 2: could not run.
set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
base=${1:-HEAD~1}
version=1.75.0

buf=${BUF:-$(command -v buf || true)}
if [ -z "$buf" ]; then
  buf="$root/build/buf/node_modules/.bin/buf"
  if [ ! -x "$buf" ]; then
    mkdir -p "$root/build/buf"
    echo '{"private": true}' > "$root/build/buf/package.json"
    timeout 180 npm install --silent --no-audit --no-fund --prefix "$root/build/buf" "@bufbuild/buf@$version" >&2 ||
      { echo "proto: cannot get buf: install it or set BUF" >&2; exit 2; }
  fi
fi
"$buf" --version >/dev/null 2>&1 || { echo "proto: $buf does not run" >&2; exit 2; }

failed=0
(cd "$root/proto" && timeout 120 "$buf" lint) || failed=1

earlier=$(mktemp -d) || exit 2
trap 'rm -rf "$earlier"' EXIT
if git -C "$root" archive "$base" proto 2>/dev/null | tar -x -C "$earlier" 2>/dev/null && [ -d "$earlier/proto" ]; then
  cp "$root/proto/buf.yaml" "$earlier/proto/buf.yaml"
  (cd "$root/proto" && timeout 120 "$buf" breaking --against "$earlier/proto") || failed=1
else
  echo "proto: no commit $base with a proto folder to compare with" >&2
  exit 2
fi
[ "$failed" = 0 ] || { echo "proto: findings above" >&2; exit 1; }
echo "proto: ok"
