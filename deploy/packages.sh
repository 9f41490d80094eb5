#!/bin/bash
# Installs what Sluice needs to be built, run and tried, from the distribution's packages. Nothing happens when all is there.
#   deploy/packages.sh [image|run|build|test|bench]      default: test; image = the libraries that the binaries load, bench = what draws plots too
set -euo pipefail

image=(ca-certificates libgrpc++1.51 libprotobuf32 libabsl20220623 libpqxx-6.4 libprometheus-cpp-pull1.0 libunbound8 libre2-9 liblz4-1
  libxxhash0 libyaml-cpp0.7 libidn2-0 libssl3 libpsl5 libcurl4 libtcmalloc-minimal4 publicsuffix)
run=(postgresql-15 ca-certificates openssl)
build=(build-essential cmake ninja-build ccache mold pkg-config protobuf-compiler protobuf-compiler-grpc libgrpc++-dev libprotobuf-dev
  libabsl-dev libssl-dev libpq-dev libpqxx-dev prometheus-cpp-dev libasio-dev libunbound-dev libevent-dev nettle-dev libre2-dev liblz4-dev
  libzstd-dev libxxhash-dev libyaml-cpp-dev nlohmann-json3-dev libcli11-dev libcurl4-openssl-dev libgoogle-perftools-dev libidn2-dev libpsl-dev python3 python3-yaml
  libgtest-dev
  libgmock-dev libbenchmark-dev)
test=(postfix strace libclang-rt-14-dev clang-14 python3-grpcio python3-protobuf python3-xxhash python3-dkim python3-nacl knot prometheus git procps iproute2)

bench=(python3-matplotlib)

case "${1:-test}" in
  image) wanted=("${image[@]}") ;;
  run) wanted=("${run[@]}") ;;
  build) wanted=("${run[@]}" "${build[@]}") ;;
  test) wanted=("${run[@]}" "${build[@]}" "${test[@]}") ;;
  bench) wanted=("${run[@]}" "${build[@]}" "${test[@]}" "${bench[@]}") ;;
  *) echo "usage: $0 [image|run|build|test|bench]" >&2; exit 2 ;;
esac

missing=()
for package in "${wanted[@]}"; do
  [ "$(dpkg-query -W -f='${db:Status-Abbrev}' "$package" 2>/dev/null)" = "ii " ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$(id -u)" -ne 0 ]; then
  echo "$0: these packages are missing and only root can install them: ${missing[*]}" >&2
  exit 1
fi

# The packages' own services must not start: everything here runs its own instances.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' > "$policy"
  chmod 755 "$policy"
  trap 'rm -f "$policy"' EXIT
fi
mkdir -p /etc/postgresql-common
[ -e /etc/postgresql-common/createcluster.conf ] || echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf
export DEBIAN_FRONTEND=noninteractive
apt-get update -q >/dev/null
echo "installing ${#missing[@]} packages"
apt-get install -y -q --no-install-recommends "${missing[@]}" >/dev/null
