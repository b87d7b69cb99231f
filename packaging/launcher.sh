#!/bin/sh
# `lexora`: with a command or --no-ui it is a plain Node program that never loads Chromium; else the desktop app.
here="$(dirname "$(readlink -f "$0")")"
headless() {
  # Chromium's word, which an AppImage puts first where user namespaces are forbidden.
  if [ "${1:-}" = --no-sandbox ]; then shift; fi
  exec "$here/resources/headless/node" "$here/resources/headless/bin.js" "$@"
}
# In place of a window: of the words of a desktop only those that the gateway knows, too.
serve() {
  echo "lexora: $why; serving without a window." >&2
  left=$#
  while [ "$left" -gt 0 ]; do
    word="$1"
    shift
    left=$((left - 1))
    case "$word" in
    --config=* | --host=* | --port=* | --engine=* | --log-format=*) set -- "$@" "$word" ;;
    --config | --host | --port | --engine | --log-format)
      set -- "$@" "$word"
      if [ "$left" -gt 0 ]; then
        set -- "$@" "$1"
        shift
        left=$((left - 1))
      fi
      ;;
    esac
  done
  headless --no-ui "$@"
}
sandbox=yes
for word in "$@"; do
  case "$word" in
  --no-ui | --help | -h | --version | -v) headless "$@" ;;
  --no-sandbox) sandbox=no ;;
  esac
done
first="${1:-}"
if [ "$first" = --no-sandbox ]; then first="${2:-}"; fi
case "$first" in
'' | -* | lexora:*) ;;
*) headless "$@" ;;
esac
why='there is no display'
if [ -z "${DISPLAY:-}" ] && [ -z "${WAYLAND_DISPLAY:-}" ]; then serve "$@"; fi
why='root has no sandbox for a window'
if [ "$sandbox" = yes ] && [ "$(id -u)" = 0 ]; then serve "$@"; fi

# A display may be named and still be of no use: Chromium ends at once then, by a signal of its own.
began="$(date +%s)"
app=''
asked=''
tell() {
  asked="$1"
  if [ -n "$app" ]; then kill -"$1" "$app" 2>/dev/null; fi
}
trap 'tell TERM' TERM
trap 'tell HUP' HUP
# A terminal tells the app itself.
trap : INT
"$here/lexora-bin" "$@" &
app=$!
if [ -n "$asked" ]; then kill -"$asked" "$app" 2>/dev/null; fi
wait "$app"
code=$?
while kill -0 "$app" 2>/dev/null; do
  wait "$app"
  code=$?
done
why='the window could not be opened here'
case "$code" in
132 | 133 | 134 | 139) if [ $(($(date +%s) - began)) -lt 60 ]; then serve "$@"; fi ;;
esac
exit "$code"
