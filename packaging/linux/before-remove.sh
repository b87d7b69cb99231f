#!/bin/sh
# Before the files go. An upgrade (dpkg says `upgrade`, rpm says 1) leaves the service as it is.
case "$1" in remove | deconfigure | 0) ;; *) exit 0 ;; esac
if [ -d /run/systemd/system ]; then systemctl disable --now lexora.service || true; fi
exit 0
