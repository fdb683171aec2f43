#!/usr/bin/env bash
# Reserves, lists, watches and ejects with curl.
#
#   conference.sh reserve NAME MINUTES --start YYYY-MM-DD_hh:mm:ss     prints the reservation's token
#   conference.sh list
#   conference.sh watch NAME                                           one line for each change
#   conference.sh eject NAME PARTICIPANT_ID
#
# PLENARY_URL, PLENARY_LOGIN (cloudID/username) and PLENARY_KEY say where and who.
set -euo pipefail
: "${PLENARY_URL:=http://127.0.0.1:8080}" "${PLENARY_LOGIN:?cloudID/username}" "${PLENARY_KEY:?an API access key}"

# A service by its name, and its parameters as NAME=VALUE. The key goes to curl by its standard input, so that no list of
# processes shows it. Refusals are printed as the service words them.
ask() {
  local service=$1 answer status
  shift
  local fields=()
  for field in "$@"; do fields+=(--data-urlencode "$field"); done
  answer=$(printf 'user = "%s:%s"\n' "$PLENARY_LOGIN" "$PLENARY_KEY" |
    curl --silent --show-error --max-time 20 --config - --write-out '\n%{http_code}' --request POST \
      --header 'Content-Type: application/x-www-form-urlencoded' "${fields[@]}" "$PLENARY_URL/$service")
  status=${answer##*$'\n'}
  answer=${answer%$'\n'*}
  if [[ $status != 200 ]]; then
    echo "$service: $status $answer" >&2
    return 1
  fi
  printf '%s\n' "$answer"
}

# Participants, one a line: "ID muted" or "ID speaking". The answer has no nested objects, so grep is enough.
participants() {
  local answer
  answer=$(ask conference_participant_list "conference_name=$1") || return 1
  grep -oE '"participant_id":"[^"]+","muted":(true|false)' <<<"$answer" |
    sed -E 's/"participant_id":"([^"]+)","muted":true/\1 muted/; s/"participant_id":"([^"]+)","muted":false/\1 speaking/' || true
}

# Prints every change until all participants have left.
watch() {
  local before='' now
  while true; do
    if ! now=$(participants "$1"); then
      # An unreserved conference is gone when the last one leaves.
      [[ -n $before ]] || return 1
      now=
    fi
    diff <(echo "$before") <(echo "$now") | sed -nE 's/^< (.+)/- \1/p; s/^> (.+)/+ \1/p' || true
    if [[ -n $before && -z $now ]]; then return 0; fi
    before=$now
    sleep 1
  done
}

case ${1:-} in
  reserve)
    [[ ${4:-} == --start && $# -eq 5 ]] || { sed -n '2,9p' "$0" >&2; exit 2; }
    ask conference_reservation_create "conference_name=$2" "duration=$3" "start_time=$5" max_participants=40 |
      sed -E 's/.*"reservation_token":"([A-Z2-7]+)".*/\1/'
    ;;
  list) ask conference_list ;;
  watch) watch "${2:?NAME}" ;;
  eject) ask conference_participant_eject "conference_name=${2:?NAME}" "participant_id=${3:?PARTICIPANT_ID}" ;;
  *) sed -n '2,9p' "$0" >&2; exit 2 ;;
esac
