#!/bin/sh
# `lexora`: with a command or --no-ui it is a plain Node program that never loads Chromium; else the desktop app.
here="$(dirname "$(readlink -f "$0")")"
headless() {
  # Chromium's word, which an AppImage puts first where user namespaces are forbidden.
  if [ "${1:-}" = --no-sandbox ]; then shift; fi
  exec "$here/resources/headless/node" "$here/resources/headless/bin.js" "$@"
}
for word in "$@"; do
  case "$word" in --no-ui | --help | -h | --version | -v) headless "$@" ;; esac
done
first="${1:-}"
if [ "$first" = --no-sandbox ]; then first="${2:-}"; fi
case "$first" in
'' | -* | lexora:*) ;;
*) headless "$@" ;;
esac
# Without a display there is nothing to show a window on.
if [ -z "${DISPLAY:-}" ] && [ -z "${WAYLAND_DISPLAY:-}" ]; then headless "$@"; fi
exec "$here/lexora-bin" "$@"
