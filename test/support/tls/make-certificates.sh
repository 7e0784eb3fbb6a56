#!/bin/sh
# Makes the certificates beside this file anew, valid for a hundred years. They are for tests alone: their keys are public.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
days=36500

key() {
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null
}

# authority FILE NAME: a certificate that signs others, and its key, which is not kept.
authority() {
  key "$work/$1.key"
  openssl req -x509 -new -key "$work/$1.key" -subj "/CN=$2" -days $days -out "$1.pem" \
    -addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign,cRLSign'
}

# signed FILE NAME EXTENSIONS: a key, and its certificate signed by the first authority.
signed() {
  key "$1-key.pem"
  openssl req -new -key "$1-key.pem" -subj "/CN=$2" -out "$work/$1.csr"
  printf 'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n%b' "$3" >"$work/$1.ext"
  openssl x509 -req -in "$work/$1.csr" -CA ca.pem -CAkey "$work/ca.key" -CAcreateserial -CAserial "$work/serial" \
    -days $days -extfile "$work/$1.ext" -out "$1.pem" 2>/dev/null
}

authority ca 'Concord test CA'
authority other-ca 'Another test CA'
# Etcd's HTTP gateway shows the server's certificate to etcd itself, hence clientAuth.
signed server 'concord-test-server' \
  'extendedKeyUsage=serverAuth,clientAuth\nsubjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1\n'
signed client 'concord-test-client' 'extendedKeyUsage=clientAuth\n'
