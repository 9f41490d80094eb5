#!/bin/bash
# Certificates for mutual TLS, for trials and small installations (larger ones have an authority of their own, such as cert-manager).
#   deploy/certificates.sh DIR NAME[,DNS…] …      e.g. deploy/certificates.sh /etc/sluice/tls scheduler.s1,scheduler egress.mta1 admin.alice
# NAME is `<role>.<host or person>`: scheduler, ingest, egress; viewer, operator, admin (what each may do: deploy/docs/runbook.md). DNS names
# are what clients dial. DIR gets ca.pem, NAME.pem, NAME.key, for services to mount; the authority's own key goes beside it, to DIR-authority,
# and belongs on no host that runs a service. What is there is kept, so that names can be added later; delete a file to have it made anew.
# Valid for 825 days (the authority for ten years).
set -euo pipefail
[ $# -ge 2 ] || { sed -n '2,7p' "$0" >&2; exit 2; }
dir=${1%/}; shift
authority=$dir-authority
umask 077
mkdir -p "$dir" "$authority"
if [ ! -e "$authority/ca.key" ]; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=sluice" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign \
    -keyout "$authority/ca.key" -out "$dir/ca.pem" 2>/dev/null
fi
for entry in "$@"; do
  name=${entry%%,*}
  case "$name" in
    scheduler.?*|ingest.?*|egress.?*|viewer.?*|operator.?*|admin.?*) ;;
    *) echo "$0: '$name' does not begin with a role (scheduler, ingest, egress, viewer, operator, admin) and a dot" >&2; exit 2 ;;
  esac
  [ -e "$dir/$name.pem" ] && continue
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$name" -keyout "$dir/$name.key" -out "$dir/$name.csr" 2>/dev/null
  printf 'subjectAltName=DNS:%s\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth,clientAuth\n' "${entry//,/,DNS:}" > "$dir/$name.ext"
  openssl x509 -req -in "$dir/$name.csr" -CA "$dir/ca.pem" -CAkey "$authority/ca.key" -CAserial "$authority/ca.srl" -CAcreateserial -days 825 -extfile "$dir/$name.ext" \
    -out "$dir/$name.pem" 2>/dev/null
  rm -f "$dir/$name.csr" "$dir/$name.ext"
done
chmod 644 "$dir"/*.pem
