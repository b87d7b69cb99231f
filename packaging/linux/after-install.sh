#!/bin/sh
# When the files are there: the command, the sandbox, the desktop's lists, the service if it is in use.
app='/opt/${sanitizedProductName}'
ln -sf "$app/${executable}" '/usr/bin/${executable}'

# Chromium's own sandbox needs user namespaces; where there are none, its old helper must be root's.
if unshare --user true 2>/dev/null; then chmod 0755 "$app/chrome-sandbox"; else chmod 4755 "$app/chrome-sandbox"; fi || true

if command -v update-desktop-database >/dev/null; then update-desktop-database -q /usr/share/applications || true; fi
if command -v gtk-update-icon-cache >/dev/null; then gtk-update-icon-cache -qtf /usr/share/icons/hicolor || true; fi

# Ubuntu 24.04 and later give user namespaces only to programs with a profile. An AppArmor that cannot read it does not ask.
profile="$app/resources/apparmor-profile"
if command -v apparmor_parser >/dev/null && apparmor_parser --skip-kernel-load --skip-cache "$profile" >/dev/null 2>&1; then
  cp -f "$profile" '/etc/apparmor.d/${executable}'
  if apparmor_status --enabled >/dev/null 2>&1; then
    apparmor_parser --replace --write-cache '/etc/apparmor.d/${executable}' || true
  fi
fi

# Some systems keep the GPU for these groups. The service's passing user joins those that are there: one that is not
# would keep it from starting.
groups=''
for group in video render; do
  if getent group "$group" >/dev/null 2>&1; then groups="$groups $group"; fi
done
drop='/usr/lib/systemd/system/lexora.service.d'
if [ -n "$groups" ] && mkdir -p "$drop"; then
  printf '[Service]\nSupplementaryGroups=%s\n' "$groups" >"$drop/gpu.conf"
fi

if [ -d /run/systemd/system ]; then
  systemctl daemon-reload || true
  systemctl try-restart lexora.service || true
fi
exit 0
