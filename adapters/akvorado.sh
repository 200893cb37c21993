#!/bin/sh
# Reports destinations with much traffic, as Akvorado's ClickHouse knows them, to prefixd; see akvorado.yaml.
#
# CLICKHOUSE_URL      ClickHouse's HTTP interface (default http://127.0.0.1:8123/)
# THRESHOLD_BPS, THRESHOLD_PPS  what is an attack (default 1000000000 and 500000)
# WINDOW_SECONDS      the newest flows that are summed up (default 60)
# WHERE               further condition (default InIfBoundary = 'external')
# PREFIXD_URL         the webhook (default http://127.0.0.1:8080/v1/signals/webhook/akvorado)
# PREFIXD_TOKEN_FILE  file with a token of the role detector (default /etc/prefixd/akvorado.token)
set -eu
clickhouse=${CLICKHOUSE_URL:-http://127.0.0.1:8123/}
url=${PREFIXD_URL:-http://127.0.0.1:8080/v1/signals/webhook/akvorado}
token_file=${PREFIXD_TOKEN_FILE:-/etc/prefixd/akvorado.token}
window=${WINDOW_SECONDS:-60}
where=${WHERE:-"InIfBoundary = 'external'"}

answer=$(curl --silent --show-error --fail --max-time 20 --data-binary @- "$clickhouse" <<SQL
SELECT replaceOne(toString(DstAddr), '::ffff:', '') AS dst, Proto AS proto,
  round(SUM(Bytes * SamplingRate) * 8 / $window) AS bps, round(SUM(Packets * SamplingRate) / $window) AS pps
FROM flows
WHERE TimeReceived > now() - $window AND $where
GROUP BY dst, proto
HAVING bps > ${THRESHOLD_BPS:-1000000000} OR pps > ${THRESHOLD_PPS:-500000}
ORDER BY bps DESC
LIMIT 1000
FORMAT JSON
SQL
)

# The token is passed in a file descriptor, because other users can read a command line.
token=$(printf 'header = "Authorization: Bearer %s"\n' "$(cat "$token_file")")
printf '%s' "$answer" |
  curl --config /dev/fd/3 --silent --show-error --fail-with-body --max-time 10 \
    --header 'Content-Type: application/json' --data-binary @- "$url" 3<<CONFIG
$token
CONFIG
