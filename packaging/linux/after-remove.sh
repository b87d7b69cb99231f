#!/bin/sh
# When the files are gone, for good: an upgrade has put new ones there already. Configuration, keys and models stay.
case "$1" in remove | purge | disappear | 0) ;; *) exit 0 ;; esac
if [ -L '/usr/bin/${executable}' ]; then rm -f '/usr/bin/${executable}'; fi
profile='/etc/apparmor.d/${executable}'
if [ -f "$profile" ]; then
  if apparmor_status --enabled >/dev/null 2>&1; then apparmor_parser --remove "$profile" || true; fi
  rm -f "$profile"
fi
rm -f /usr/lib/systemd/system/lexora.service.d/gpu.conf
rmdir /usr/lib/systemd/system/lexora.service.d 2>/dev/null || true
if command -v update-desktop-database >/dev/null; then update-desktop-database -q /usr/share/applications || true; fi
if command -v gtk-update-icon-cache >/dev/null; then gtk-update-icon-cache -qtf /usr/share/icons/hicolor || true; fi
if [ -d /run/systemd/system ]; then systemctl daemon-reload || true; fi
exit 0
