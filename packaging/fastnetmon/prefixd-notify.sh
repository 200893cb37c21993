#!/bin/sh
# FastNetMon's notify script for prefixd: passes each call on to POST /v1/signals/fastnetmon. Needs sh and curl.
#
#   prefixd-notify.sh IP DIRECTION PPS ACTION    Community (and Advanced in text format), text on standard input
#   prefixd-notify.sh ACTION IP                  Advanced, JSON on standard input
#   prefixd-notify.sh                            Advanced for host groups, JSON on standard input
#   prefixd-notify.sh --drain                    delivers what is in the spool, for cron or by hand
#
# Each call first writes its message to a spool folder. The call that finds nobody delivering delivers everything in the
# spool, in order, over one connection; the others are done. What cannot be delivered now stays in the spool: a process in
# the background tries again for a while, and so does the next call.
#
# Settings come from the environment, else from /etc/prefixd/notify.conf (lines of NAME=value, read and not executed):
#   PREFIXD_API                  address of the daemon (http://127.0.0.1:8080)
#   PREFIXD_API_TOKEN            its bearer token, or
#   PREFIXD_API_TOKEN_FILE       a file with the token in its first line
#   PREFIXD_CACERT               PEM file of the CA that signed the daemon's certificate
#   PREFIXD_CERT, PREFIXD_KEY    PEM files of a client certificate
#   PREFIXD_NOTIFY_CONF          another file of settings
#   PREFIXD_NOTIFY_SPOOL         spool folder (/var/spool/prefixd-notify, or one in /var/tmp where that is not writable)
#   PREFIXD_NOTIFY_SPOOL_MAX     messages in the spool from which on bans are dropped, never an unban (10000)
#   PREFIXD_NOTIFY_WAIT          seconds without progress after which a call leaves the rest in the spool (4)
#   PREFIXD_NOTIFY_RETRY         seconds for which the background process goes on trying; 0: none (3600)
#
# Exit codes: 0 delivered, handed to the call that is delivering, or kept in the spool; 1 other failure; 2 not delivered and
# not kept; 3 token or address refused (the message is kept); 5 prefixd refused the message, or the arguments are wrong.
# Messages for people go to standard error and to syslog.
set -u
umask 077
LC_ALL=C
export LC_ALL

nl='
'
batch_max=64
input_seconds=5
answer_seconds=10

log() {
  printf 'prefixd-notify: %s\n' "$*" >&2
  if command -v logger >/dev/null 2>&1; then
    logger -t prefixd-notify -p daemon.warning -- "$*" 2>/dev/null
  fi
  return 0
}

fail() { # CODE MESSAGE
  code=$1
  shift
  log "$*"
  exit "$code"
}

now() {
  date +%s
}

# --- Settings ---

# Lines of NAME=value. What the environment has is kept.
read_file_settings() {
  conf=${PREFIXD_NOTIFY_CONF:-/etc/prefixd/notify.conf}
  [ -e "$conf" ] || return 0
  if [ ! -r "$conf" ]; then
    log "$conf cannot be read by this user; using the defaults"
    return 0
  fi
  while IFS= read -r line || [ -n "$line" ]; do
    name=${line%%=*}
    value=${line#*=}
    case $name in
      PREFIXD_*[!A-Z_]* | "$line") continue ;;
      PREFIXD_*) ;;
      *) continue ;;
    esac
    case $value in
      \"*\") value=${value#\"} value=${value%\"} ;;
      \'*\') value=${value#\'} value=${value%\'} ;;
    esac
    eval "[ -n \"\${$name+set}\" ]" || eval "$name=\$value"
  done <"$conf"
}

count() { # NAME VALUE: the value of a setting that is a number
  case $2 in
    '' | *[!0-9]*) fail 5 "$1 must be a whole number, not \"$2\"" ;;
  esac
}

read_settings() {
  read_file_settings
  api=${PREFIXD_API:-http://127.0.0.1:8080}
  case $api in
    *://*) ;;
    *) api=http://$api ;;
  esac
  url=${api%/}/v1/signals/fastnetmon
  spool_max=${PREFIXD_NOTIFY_SPOOL_MAX:-10000}
  patience=${PREFIXD_NOTIFY_WAIT:-4}
  retry_seconds=${PREFIXD_NOTIFY_RETRY:-3600}
  count PREFIXD_NOTIFY_SPOOL_MAX "$spool_max"
  count PREFIXD_NOTIFY_WAIT "$patience"
  count PREFIXD_NOTIFY_RETRY "$retry_seconds"
  token=${PREFIXD_API_TOKEN:-}
  if [ -z "$token" ] && [ -n "${PREFIXD_API_TOKEN_FILE:-}" ]; then
    IFS= read -r token <"$PREFIXD_API_TOKEN_FILE" || [ -n "$token" ] ||
      log "no token in $PREFIXD_API_TOKEN_FILE"
  fi
  curl_common="request = \"POST\"${nl}header = \"Content-Type: text/plain; charset=utf-8\"${nl}header = \"Expect:\"${nl}"
  curl_common="${curl_common}noproxy = \"*\"${nl}connect-timeout = 2${nl}max-time = ${answer_seconds}${nl}"
  curl_common="${curl_common}write-out = \"\\n@%{http_code} %header{retry-after}\\n\"${nl}"
  [ -z "$token" ] || option header "Authorization: Bearer $token"
  file_option cacert "${PREFIXD_CACERT:-}"
  file_option cert "${PREFIXD_CERT:-}"
  file_option key "${PREFIXD_KEY:-}"
  case $url in
    *[\"\\\ ]*) fail 5 "PREFIXD_API is not an address: $api" ;;
  esac
}

absolute() { # PATH: sets $value; the script works in the spool folder
  case $1 in
    /*) value=$1 ;;
    *) value=$PWD/$1 ;;
  esac
}

file_option() { # NAME PATH
  if [ -n "$2" ]; then
    absolute "$2"
    option "$1" "$value"
  fi
}

option() { # NAME VALUE: one more line of curl's configuration, which other users cannot see
  case $2 in
    *[\"\\]*) fail 5 "a quotation mark or backslash in the value of curl's option $1 is not supported" ;;
  esac
  curl_common="${curl_common}$1 = \"$2\"${nl}"
}

# --- Spool: a file for each message, named NUMBER.PID.QUERY, and FastNetMon's input, if any, in in.NUMBER.PID. The script
# --- works in this folder, so that no name in it needs quoting. What the first file holds does not matter; that something
# --- could be written to it says that the disk is not full.

usable() { # FOLDER
  [ -d "$1" ] || mkdir -p "$1" 2>/dev/null
  [ -d "$1" ] && [ -w "$1" ] && [ -x "$1" ]
}

open_spool() {
  spool=${PREFIXD_NOTIFY_SPOOL:-}
  if [ -n "$spool" ]; then
    absolute "$spool"
    spool=$value
    usable "$spool" || return 1
  else
    spool=/var/spool/prefixd-notify
    if ! usable "$spool"; then
      # Others can write to /var/tmp: the folder must be our own.
      spool=/var/tmp/prefixd-notify-$(id -u)
      usable "$spool" && [ ! -h "$spool" ] && [ -O "$spool" ] || return 1
    fi
  fi
  cd "$spool" && make_lock lock
}

# Puts the message into the spool: its input first, and then the name by which it is found. False when the disk is full.
store() {
  set -- [0-9]*
  [ -e "$1" ] || shift
  if [ "$#" -ge "$spool_max" ] && ! is_end; then
    deliver_all 0
    set -- [0-9]*
    [ -e "$1" ] || shift
    if [ "$#" -ge "$spool_max" ]; then fail 2 "the spool $spool holds $# messages: dropped $query"; fi
  fi
  # A number above all in the spool keeps the order of calls; those that run at once are told apart by their process.
  eval "last=\${$#}"
  last=${last%%.*}
  case $last in
    *[!0-9]*) last=1000000000 ;;
  esac
  own=$((last + 1)).$$
  if [ "$reads_input" = yes ]; then
    # Found out before the input is read: it can be read only once.
    write_line "in.$own" || return 1
    read_input >"in.$own"
    reads_input=no
  fi
  if ! write_line "$own.$query"; then
    rm -f "in.$own"
    return 1
  fi
  own=$own.$query
}

write_line() { # FILE: one line, or no file
  { printf '\n' >"$1"; } 2>/dev/null && return 0
  rm -f "$1"
  return 1
}

# FastNetMon must be able to write all of it. It writes to a pipe and closes it; anything else may stay open for ever.
read_input() {
  if [ -p /dev/stdin ] || [ -f /dev/stdin ] || ! command -v timeout >/dev/null 2>&1; then
    cat 2>/dev/null
  else
    timeout "$input_seconds" cat 2>/dev/null
  fi
}

# An end is never dropped: without it, a rule would stay. A call without arguments may be one.
is_end() {
  case $query in
    '' | *action=unban* | *action=partial_unblock*) return 0 ;;
  esac
  return 1
}

has_messages() {
  set -- [0-9]*
  [ -e "$1" ]
}

# --- Lock: a folder with one file in it, whose name is "free" or "held.PID.START". Each change is one rename, so that it has
# --- one winner, and the lock of a process that was killed is taken over.

make_lock() { # FOLDER
  [ -d "$1" ] && return 0
  mkdir "$1" 2>/dev/null || { [ -d "$1" ] && return 0 || return 1; }
  : >"$1/free"
}

# Sets $started to the start time of a process (clock ticks since boot); false when it does not run.
start_of() { # PID
  started=0
  if [ -d /proc/self ]; then
    { IFS= read -r status </proc/"$1"/stat; } 2>/dev/null || return 1
    set -- ${status##*) }
    started=${20}
  else
    kill -0 "$1" 2>/dev/null
  fi
}

take_lock() { # FOLDER
  start_of $$ || started=0
  held=held.$$.$started
  for attempt in 1 2 3 4; do
    if [ -e "$1/free" ] && mv "$1/free" "$1/$held" 2>/dev/null; then return 0; fi
    for other in "$1"/held.*; do
      [ -e "$other" ] || continue
      pid=${other##*/held.}
      if start_of "${pid%%.*}" && [ "$started" = "${pid#*.}" ]; then return 1; fi
      mv "$other" "$1/$held" 2>/dev/null
      return
    done
    # Neither: it is being made or is changing hands right now, or its maker was killed.
    [ -d "$1" ] || return 1
    sleep 1
    if [ "$attempt" -eq 3 ]; then : >"$1/free"; fi
  done
  return 1
}

release_lock() { # FOLDER
  mv "$1/$held" "$1/free" 2>/dev/null
  return 0
}

# --- Delivery ---

# Sends up to $batch_max messages, in order, at most one for each victim: a message that is refused for now does not let a
# later one about the same victim past, and does not hold up other victims. Sets $moved (how many are done with), $after (how
# many seconds the daemon wants to be left alone) and $blocked.
send_batch() {
  moved=0 after=0 blocked=
  victims=' ' config=
  set --
  for message in [0-9]*; do
    [ -e "$message" ] || continue
    split "$message"
    case $victims in
      *" $victim "*)
        case $waiting in
          *" $victim "*) continue ;;
          *) break ;;
        esac
        ;;
    esac
    victims="$victims$victim "
    [ "$#" -eq 0 ] || config="${config}next${nl}"
    data=
    if [ -s "$input" ]; then data=@$input; fi
    config="${config}${curl_common}url = \"$url?$params\"${nl}data-binary = \"$data\"${nl}"
    set -- "$@" "$message"
    [ "$#" -lt "$batch_max" ] || break
  done
  [ "$#" -gt 0 ] || return 0
  problem=$(printf '%s' "$config" | curl -q -sS --fail-early -K - 2>&1 >".$$.results")
  [ -f ".$$.results" ] || return 0
  body= finished= waiting=' '
  while IFS= read -r line || [ -n "$line" ]; do
    case $line in
      @[0-9][0-9][0-9]*)
        [ "$#" -gt 0 ] || break
        line=${line#@}
        settle "$1" "${line%% *}" "${line#* }"
        shift
        body=
        ;;
      ?*) body=$line ;;
    esac
  done <".$$.results"
  # shellcheck disable=SC2086  # names without blanks
  rm -f ".$$.results" $finished
}

split() { # MESSAGE: sets $params to its query, $victim to the address in it, and $input to the file of its input
  params=${1#*.}
  input=in.${1%%.*}.${params%%.*}
  params=${params#*.}
  victim=none
  case $params in
    ip=*) victim=${params#ip=} victim=${victim%%&*} ;;
  esac
}

settle() { # MESSAGE CODE RETRY-AFTER
  split "$1"
  case $2 in
    2?? | 409)
      case $body in
        *'"code":4'*) log "prefixd refused a part of $params: $body" ;;
      esac
      finish "$1" "$2"
      ;;
    400 | 422)
      log "prefixd refused $params ($2): $body"
      finish "$1" "$2"
      ;;
    413)
      if [ -s "$input" ] && [ -n "$params" ]; then
        log "the details of $params are too large; reporting it without them"
        : >"$input"
        moved=$((moved + 1))
      else
        log "prefixd refused $params ($2): $body"
        finish "$1" "$2"
      fi
      ;;
    401 | 403 | 404 | 405 | 415) blocked="$2: $body" ;;
    *)
      waiting="$waiting$victim "
      [ "$2" = 000 ] || problem="answered $2${body:+: $body}"
      case $3 in
        '' | *[!0-9]*) ;;
        *) [ "$3" -le "$after" ] || after=$3 ;;
      esac
      ;;
  esac
}

finish() { # MESSAGE CODE
  finished="$finished $1 $input"
  moved=$((moved + 1))
  if [ "$1" = "$own" ]; then own_code=$2 own_body=$body; fi
}

# Delivers until the spool is empty, or until nothing moved for so many seconds. The lock is ours.
deliver() { # SECONDS
  since=$(now) waiting=' '
  while has_messages; do
    wait_until "$1" || return 1
    send_batch
    [ "$after" -eq 0 ] || printf '%s\n' "$(($(now) + after))" >.not-before
    if [ -n "$blocked" ]; then
      log "$url answered $blocked; check address and token. Messages are kept in $spool"
      return 1
    fi
    if [ "$moved" -gt 0 ]; then
      since=$(now)
    elif has_messages; then
      [ "$(($(now) - since))" -lt "$1" ] || return 1
      [ "$after" -gt 0 ] || sleep 1
    fi
  done
}

# Waits as long as the daemon asked for; false when that is longer than we may wait.
wait_until() { # SECONDS
  [ -f .not-before ] || return 0
  { read -r moment <.not-before; } 2>/dev/null
  case ${moment:-} in
    '' | *[!0-9]*) moment=0 ;;
  esac
  left=$((moment - $(now)))
  # More than an hour is no answer of a daemon but a clock that was set.
  if [ "$left" -gt 0 ] && [ "$left" -le 3600 ]; then
    if [ "$left" -gt "$1" ]; then
      problem="answered to wait; $left s are left"
      return 1
    fi
    sleep "$left"
  fi
  rm -f .not-before
}

# Delivers what is in the spool unless somebody else does. A message that arrives just when the lock is released is seen
# by the look at the spool after it: its own call found the lock held.
deliver_all() { # SECONDS
  while has_messages; do
    take_lock lock || return 0
    locked=lock
    deliver "$1"
    delivered=$?
    locked=
    release_lock lock
    [ "$delivered" -eq 0 ] || return 1
  done
}

# In the background: tries again every few seconds. Between two attempts the lock is free, so that a call delivers at once.
retry() {
  make_lock retry && take_lock retry || exit 0
  retrying=retry
  end=$(($(now) + retry_seconds))
  while has_messages && [ "$(now)" -lt "$end" ]; do
    deliver_all 0
    has_messages || break
    sleep 3
  done
  retrying=
  release_lock retry
  # What was stored while this one was about to end has its own call's attempt behind it already.
  if has_messages && [ "$(now)" -lt "$end" ]; then exec sh "$self" --retry; fi
}

start_retry() {
  if [ "$retry_seconds" -gt 0 ] && [ -r "$self" ]; then
    sh "$self" --retry </dev/null >/dev/null 2>&1 &
  fi
}

# Without a spool: one message, from memory.
send_directly() {
  log "the spool $spool cannot be written; sending without it"
  input=
  if [ "$reads_input" = yes ]; then
    # The x keeps the line ends at the end.
    input=$(read_input; printf x)
    input=${input%x}
  fi
  since=$(now)
  while :; do
    answer=$(
      printf '%s' "$input" | curl -q -sS -K /dev/fd/3 3<<CONFIG
${curl_common}url = "$url?$query"
data-binary = "@-"
CONFIG
    )
    status=${answer##*@}
    case $status in
      2?? | 2??\ * | 409*) exit 0 ;;
      400* | 422*) fail 5 "prefixd refused $query: ${answer%@*}" ;;
    esac
    [ "$(($(now) - since))" -lt 30 ] || fail 2 "$query was not delivered and is lost"
    sleep 1
  done
}

# --- A call ---

# The value as it may be in a query and in the name of a file.
plain() { # VALUE
  case $1 in
    '' | *[!A-Za-z0-9.:/_-]*) fail 5 "\"$1\" is no argument of FastNetMon" ;;
    */*) value=${1%%/*}%2F${1#*/} ;;
    *) value=$1 ;;
  esac
  case $value in
    */*) fail 5 "\"$1\" is no argument of FastNetMon" ;;
  esac
}

read_call() { # ARGUMENTS
  reads_input=yes
  case $# in
    0) query= ;;
    2)
      action=$1 ip=$2
      case $action in
        *[.:]*) action=$2 ip=$1 ;;
      esac
      plain "$ip"
      query=ip=$value
      plain "$action"
      query="$query&action=$value"
      ;;
    1 | 3) fail 5 "FastNetMon passes four arguments (IP direction pps action), two (action IP) or none, not $#" ;;
    *)
      plain "$1"
      query=ip=$value
      plain "$2"
      query="$query&direction=$value"
      plain "$3"
      query="$query&pps=$value"
      plain "$4"
      query="$query&action=$value"
      # Community's unban comes without details; standard input may be anything that FastNetMon was started with.
      if [ "$4" = unban ]; then reads_input=no; fi
      if [ "$4" = attack_details ]; then
        cat >/dev/null
        exit 0
      fi
      ;;
  esac
  if [ -t 0 ]; then reads_input=no; fi
}

clean_up() {
  [ -z "$locked" ] || release_lock "$locked"
  [ -z "$retrying" ] || release_lock "$retrying"
  if [ -e ".$$.results" ]; then rm -f ".$$.results"; fi
}

spool= locked= retrying= blocked= problem= own= own_code= own_body= body=
absolute "$0"
self=$value
trap clean_up EXIT
trap 'exit 143' TERM
trap 'exit 130' INT
trap 'exit 129' HUP

case ${1-} in
  -h | --help)
    while IFS= read -r line; do
      case $line in
        '#!'*) ;;
        '#'*) line=${line#\#} && printf '%s\n' "${line# }" ;;
        *) exit 0 ;;
      esac
    done <"$0"
    exit 0
    ;;
  --drain | --retry)
    mode=$1
    read_settings
    open_spool || fail 1 "the spool $spool cannot be used"
    if [ "$mode" = --retry ]; then
      retry
      exit 0
    fi
    deliver_all "$patience"
    # What a call that was killed has left.
    find . -name 'in.*' -mtime +1 -exec rm -f {} +
    if has_messages; then fail 2 "messages are left in $spool"; fi
    exit 0
    ;;
esac

read_settings
read_call "$@"
command -v curl >/dev/null 2>&1 || log "curl is missing: messages are kept in the spool"
if ! open_spool; then send_directly; fi
if ! store; then
  # What was read, if anything, is gone, but the arguments say whom it is about.
  send_directly
fi
if ! deliver_all "$patience"; then
  start_retry
  [ -z "$blocked" ] || exit 3
  case $problem in
    answered*) log "$url $problem; kept in $spool: $query" ;;
    *) log "prefixd cannot be reached at $url${problem:+ ($problem)}; kept in $spool: $query" ;;
  esac
  exit 0
fi
[ -z "$own_body" ] || printf '%s\n' "$own_body"
case $own_code in
  400 | 422 | 413) exit 5 ;;
esac
exit 0
