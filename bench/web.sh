#!/bin/bash
# The work of recipes/web.yml by hand, as short as possible, to compare with chrootfile.
# Prints seconds by phase.   usage: web.sh SOURCE FOLDER   (the disk of a base image; a folder on the same file system)
set -euo pipefail
source=$1 folder=$2 here=$(dirname "$0")
mnt=$folder/mnt disk=$folder/disk.img snapshot=$folder/snapshot.img
mkdir -p "$mnt"
loop=
trap 'mountpoint -q "$mnt" && umount -R "$mnt"; [ -z "$loop" ] || { partx -d "$loop"; losetup -d "$loop"; }; rm -f "$disk" "$snapshot"' EXIT
TIMEFORMAT=%R
phase() { local name=$1; shift; { time "$@" >>"$folder/log" 2>&1 3>&-; } 2>"$folder/time" || { tail "$folder/log" >&2; exit 1; }; echo "$name $(tail -n 1 "$folder/time")"; }

clone() { cp --reflink=auto --sparse=always "$source" "$disk"; }
attach() { loop=$(losetup -f --show "$disk"); echo "$loop" > "$folder/loop"; partx -a "$loop"; }
mount_root() { mount -o noatime,discard "${loop}p2" "$mnt"; }
prepare() {
  mount -t tmpfs dev "$mnt/dev"
  cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty "$mnt/dev"
  mkdir "$mnt/dev/pts"
  mount -t devpts -o newinstance pts "$mnt/dev/pts"
  mount -t proc proc "$mnt/proc"
  mount -t sysfs -o ro sys "$mnt/sys"
  mount -t tmpfs run "$mnt/run"
  mkdir -p "$mnt/run/systemd/resolve"
  cp -L /etc/resolv.conf "$mnt/run/systemd/resolve/stub-resolv.conf"
  printf '#!/bin/sh\nexit 101\n' > "$mnt/usr/sbin/policy-rc.d"
  chmod +x "$mnt/usr/sbin/policy-rc.d"
}
packages() { chroot "$mnt" env DEBIAN_FRONTEND=noninteractive sh -ec 'apt-get --quiet update; apt-get --quiet --yes --no-install-recommends install nginx-light'; }
finish() {
  cp -r "$here/../recipes/files/www/." "$mnt/var/www/html/"
  chroot "$mnt" nginx -t
  chroot "$mnt" sh -ec 'rm -f /etc/ssh/ssh_host_*; : > /etc/machine-id; apt-get clean; rm -rf /var/lib/apt/lists/* /var/lib/cloud/* /tmp/* /var/tmp/*; find /var/log -type f -exec truncate --size 0 {} +'
  rm "$mnt/usr/sbin/policy-rc.d"
}
unmount() { umount -R "$mnt"; }
detach() { partx -d "$loop"; losetup -d "$loop"; }
snapshot() { cp --reflink=auto --sparse=always "$disk" "$snapshot"; }

phase clone clone
phase attach attach; loop=$(cat "$folder/loop")
phase mount mount_root
phase prepare prepare
phase packages packages
phase finish finish
phase unmount unmount
phase detach detach; loop=
phase snapshot snapshot
phase remove rm "$disk"
