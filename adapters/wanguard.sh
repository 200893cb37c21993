#!/bin/sh
# Reports an anomaly of Wanguard to prefixd. Arguments, see wanguard.yaml: STATE ID PREFIX DIRECTION DECODER BPS PPS FROM.
#
# PREFIXD_URL         the webhook (default http://127.0.0.1:8080/v1/signals/webhook/wanguard)
# PREFIXD_TOKEN_FILE  file with a token of the role detector (default /etc/prefixd/wanguard.token)
set -eu
if [ $# -ne 8 ]; then
  echo "usage: wanguard.sh detected|expired ID PREFIX DIRECTION DECODER BPS PPS FROM" >&2
  exit 64
fi
url=${PREFIXD_URL:-http://127.0.0.1:8080/v1/signals/webhook/wanguard}
token_file=${PREFIXD_TOKEN_FILE:-/etc/prefixd/wanguard.token}

# Keeps only characters that need no escape in JSON.
plain() { printf '%s' "$1" | tr -cd 'A-Za-z0-9 ._:/+-'; }

body=$(printf '[{"state":"%s","anomaly_id":"%s","prefix":"%s","direction":"%s","decoder":"%s","bps":"%s","pps":"%s","from":"%s"}]' \
  "$(plain "$1")" "$(plain "$2")" "$(plain "$3")" "$(plain "$4")" "$(plain "$5")" "$(plain "$6")" "$(plain "$7")" "$(plain "$8")")

# The token is passed on standard input, because other users can read a command line.
printf 'header = "Authorization: Bearer %s"\n' "$(cat "$token_file")" |
  curl --config - --silent --show-error --fail-with-body --max-time 10 --retry 3 \
    --header 'Content-Type: application/json' --data "$body" "$url"
