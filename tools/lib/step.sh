# shellcheck shell=bash
# Messages of tools/setup, and running a slow command so that people see it is alive.

say() { printf 'setup: %s\n' "$*" >&2; }

# complain WHAT HINT
complain() { printf 'error: setup: %s\n\nhint: %s\n' "$1" "$2" >&2; }

fail() {
  complain "$@"
  exit 1
}

usage_error() {
  complain "unknown part \`$1\`" "the parts are: ${all[*]}"
}

# step WHAT COMMAND…: runs an external command, its output shown only when it fails.
# On a terminal the seconds count up; elsewhere a line a minute tells a log that it goes on.
step() {
  local what=$1 start=$SECONDS child status=0 shown=0
  shift
  [ -t 2 ] || say "$what"
  # Its own process group, so that an interrupted run ends the whole build; without the lock,
  # which a daemon started by a package would otherwise hold for ever.
  setsid "$@" >"$work/log" 2>&1 9>&- </dev/null &
  child=$!
  # shellcheck disable=SC2064 # the child of now
  trap "kill -- -$child 2>/dev/null; exit 130" INT TERM HUP
  while kill -0 "$child" 2>/dev/null; do
    show_seconds "$what" $((SECONDS - start))
    sleep 0.2
  done
  wait "$child" || status=$?
  trap - INT TERM HUP
  if [ "$status" -eq 0 ]; then
    [ ! -t 2 ] || printf '\r\033[K' >&2
    say "$what: done in $((SECONDS - start)) s"
  else
    [ ! -t 2 ] || printf '\r\033[K' >&2
    tail -n 30 "$work/log" >&2
    say "$what: failed with status $status after $((SECONDS - start)) s; its last lines are above"
  fi
  return "$status"
}

# Reads and sets `shown` of step, the second last written.
show_seconds() {
  if [ -t 2 ]; then
    printf '\r\033[Ksetup: %s: %d s' "$1" "$2" >&2
  elif [ $(($2 - shown)) -ge 60 ]; then
    shown=$2
    say "$1: still at it after $2 s"
  fi
}
