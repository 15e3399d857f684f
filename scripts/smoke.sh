#!/bin/sh
# Whether a system of nodes delivers: subscribes on node A, publishes to node B, and waits for the item on a stream, a
# long poll and a WebSocket. Needs curl and a POSIX shell. The origin behind the nodes must answer with GRIP; the paths
# below are those of examples/express-origin, for which a route needs `over_http` (the WebSocket).
#
#   SMOKE_CLIENTS       node A, for clients (default http://127.0.0.1:7999)
#   SMOKE_CONTROL       control API of node B (default http://127.0.0.1:5561)
#   SMOKE_KEY           key of the control API, if it has any; SMOKE_KEY_FILE names a file that holds it
#   SMOKE_CHANNEL       channel (default: a new one); letters, digits, dot, hyphen, underscore
#   SMOKE_STREAM_PATH   path that is held as a stream; {channel} stands for the channel (default /stream?channel={channel})
#   SMOKE_POLL_PATH     path that is held as a long poll (default /poll?channel={channel})
#   SMOKE_SOCKET_PATH   path of a WebSocket (default /socket?channel={channel})
#   SMOKE_TRANSPORTS    what to try (default 'stream poll socket')
#   SMOKE_TIMEOUT       seconds until the item must be there (default 10)
#   SMOKE_CURL_OPTIONS  more options for each curl, such as --insecure or --header Host:news.example
#
# Exit status: 0 delivered on all, 1 not delivered, 2 wrong use.
set -u

usage() {
  echo "smoke: $1" >&2
  exit 2
}

channel_field='{channel}'
clients=${SMOKE_CLIENTS:-http://127.0.0.1:7999}
control=${SMOKE_CONTROL:-http://127.0.0.1:5561}
patience=${SMOKE_TIMEOUT:-10}
transports=${SMOKE_TRANSPORTS:-stream poll socket}
token="smoke-$(date +%s)-$$"
channel=${SMOKE_CHANNEL:-$token}

command -v curl >/dev/null || usage 'curl is not installed'
case $channel in *[!A-Za-z0-9._-]*) usage "SMOKE_CHANNEL has characters other than letters, digits and . _ -: $channel" ;; esac
case $patience in '' | *[!0-9]* | 0) usage "SMOKE_TIMEOUT is not a number of seconds: $patience" ;; esac
# shellcheck disable=SC2086 # words
set -- $transports
[ $# -gt 0 ] || usage 'SMOKE_TRANSPORTS names nothing'
for transport in $transports; do
  case $transport in stream | poll | socket) ;; *) usage "SMOKE_TRANSPORTS knows stream, poll and socket, not $transport" ;; esac
done
key=${SMOKE_KEY:-}
if [ -n "${SMOKE_KEY_FILE:-}" ]; then
  key=$(cat "$SMOKE_KEY_FILE") || usage "SMOKE_KEY_FILE cannot be read: $SMOKE_KEY_FILE"
fi

umask 077
work=$(mktemp -d) || exit 2
running=
# shellcheck disable=SC2086 # a list of process ids
trap 'kill $running 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
# In a file: the arguments of a process can be read by every user of the machine.
: >"$work/headers"
[ -z "$key" ] || printf 'Authorization: Bearer %s\n' "$key" >"$work/headers"

# Words, to be split: these and those of the caller.
options="--silent --show-error --no-buffer --connect-timeout $patience ${SMOKE_CURL_OPTIONS:-}"

path_of() {
  case $1 in
    stream) path=${SMOKE_STREAM_PATH:-/stream?channel=$channel_field} ;;
    poll) path=${SMOKE_POLL_PATH:-/poll?channel=$channel_field} ;;
    socket) path=${SMOKE_SOCKET_PATH:-/socket?channel=$channel_field} ;;
  esac
  printf '%s' "$path" | sed "s/$channel_field/$channel/g"
}

subscribe() {
  url=${clients%/}$(path_of "$1")
  set -- "$1" --max-time $((patience * 2 + 5)) --dump-header "$work/$1.head" --output "$work/$1.body" "$url"
  if [ "$1" = socket ]; then
    # Frames of a server are not masked, so what curl writes after the 101 shows the text as it is.
    set -- "$@" --http1.1 --header 'Connection: Upgrade' --header 'Upgrade: websocket' \
      --header 'Sec-WebSocket-Version: 13' --header 'Sec-WebSocket-Key: aG9sZGZhc3Qtc21va2UtLQ=='
  fi
  name=$1
  shift
  # shellcheck disable=SC2086
  curl $options "$@" 2>"$work/$name.error" &
  running="$running $!"
}

status_of() {
  sed -n 's/^HTTP\/[0-9.]* \([0-9]*\).*/\1/p' "$work/$1.head" 2>/dev/null | tail -n 1
}

# What the origin and node A have said of a subscription; a long poll says nothing until it ends.
is_open() {
  case $1 in
    stream) [ "$(status_of stream)" = 200 ] ;;
    socket) [ "$(status_of socket)" = 101 ] ;;
    poll) true ;;
  esac
}

is_delivered() {
  grep -q "$token" "$work/$1.body" 2>/dev/null
}

all() {
  for transport in $transports; do "$1" "$transport" || return 1; done
}

publish() {
  item="{\"items\":[{\"channel\":\"$channel\",\"formats\":{\"http-stream\":{\"content\":\"$token\\n\"},\"http-response\":{\"body\":\"$token\\n\"},\"ws-message\":{\"content\":\"$token\"}}}]}"
  # shellcheck disable=SC2086
  code=$(curl $options --max-time "$patience" --output "$work/publish.body" --write-out '%{http_code}' \
    --header 'Content-Type: application/json' --header "@$work/headers" \
    --data "$item" "${control%/}/publish/" 2>"$work/publish.error")
  case $code in
    200) ;;
    401 | 403) give_up "node B refused the key ($code): $(cat "$work/publish.body")" ;;
    000) give_up "node B cannot be reached at $control: $(cat "$work/publish.error")" ;;
    *) give_up "node B answered the publish with $code: $(cat "$work/publish.body")" ;;
  esac
}

give_up() {
  echo "FAIL $1" >&2
  exit 1
}

why_not_open() {
  status=$(status_of "$1")
  if [ -n "$status" ]; then
    echo "status $status, expected $([ "$1" = socket ] && echo 101 || echo 200): $(head -c 300 "$work/$1.body" 2>/dev/null)"
  else
    echo "no answer. $(cat "$work/$1.error")"
  fi
}

report() {
  failed=0
  for transport in $transports; do
    if is_delivered "$transport"; then
      echo "ok   $transport"
      continue
    fi
    failed=1
    if is_open "$transport"; then why='subscribed, but the item has not arrived'; else why=$(why_not_open "$transport"); fi
    [ "$transport" != poll ] || [ -z "$(status_of poll)$(cat "$work/poll.error")" ] || why=$(why_not_open poll)
    echo "FAIL $transport: $clients$(path_of "$transport"): $why" >&2
  done
  return $failed
}

for transport in $transports; do subscribe "$transport"; done

until_open=$(($(date +%s) + patience))
until all is_open; do
  [ "$(date +%s)" -lt "$until_open" ] || { report; exit 1; }
  sleep 0.1
done

# A long poll does not show when it is held. So an item that finds nobody is followed by another, a second later.
until_delivered=$(($(date +%s) + patience))
while [ "$(date +%s)" -lt "$until_delivered" ] && ! all is_delivered; do
  publish
  turns=0
  while [ $turns -lt 10 ] && ! all is_delivered; do
    sleep 0.1
    turns=$((turns + 1))
  done
done
report
