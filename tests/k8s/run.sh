#!/bin/bash
# Builds every overlay of deploy/k8s with kustomize and validates the result strictly against the schemas of Kubernetes. Needs the Go
# module proxy (kustomize, the version of kubectl 1.26) and PyPI (kubernetes-validate, which carries the schemas). Ends `manifests: ok`.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."
version=1.28
cache=${XDG_CACHE_HOME:-$HOME/.cache}/sluice-k8s
mkdir -p "$cache"
for package in golang-go python3-venv; do
  command -v go >/dev/null && [ "$package" = golang-go ] && continue
  dpkg-query -W -f='${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' || DEBIAN_FRONTEND=noninteractive apt-get install -y -q "$package" >/dev/null
done
[ -x "$cache/kustomize" ] || GOBIN=$cache go install sigs.k8s.io/kustomize/kustomize/v4@v4.5.7
if [ ! -x "$cache/venv/bin/kubernetes-validate" ]; then
  python3 -m venv "$cache/venv"
  "$cache/venv/bin/pip" -q install kubernetes-validate setuptools pyyaml
fi
for overlay in deploy/k8s/overlays/*/; do
  name=$(basename "$overlay")
  "$cache/kustomize" build "$overlay" > "$cache/$name.yaml"
  "$cache/venv/bin/kubernetes-validate" -k "$version" --strict --quiet --no-warn "$cache/$name.yaml"
  "$cache/venv/bin/python" tests/lint/manifests.py "$cache/$name.yaml"
  echo "$name: $(grep -c '^kind:' "$cache/$name.yaml") resources valid"
done
echo "manifests: ok"
