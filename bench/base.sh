#!/bin/bash
# The work of recipes/base.yml by hand, as short as possible, to compare with chrootfile.
# Prints seconds by phase.   usage: base.sh FOLDER
set -euo pipefail
folder=$1
mnt=$folder/mnt disk=$folder/disk.img
mkdir -p "$mnt"
loop=
trap 'mountpoint -q "$mnt" && umount -R "$mnt"; [ -z "$loop" ] || { partx -d "$loop"; losetup -d "$loop"; }' EXIT
TIMEFORMAT=%R
phase() { local name=$1; shift; { time "$@" >>"$folder/log" 2>&1 3>&-; } 2>"$folder/time" || { tail "$folder/log" >&2; exit 1; }; echo "$name $(tail -n 1 "$folder/time")"; }

make_disk() {
  truncate -s 4G "$disk"
  loop=$(losetup -f --show "$disk"); echo "$loop" > "$folder/loop"
  printf 'label: gpt\nname=bios, size=1MiB, type=21686148-6449-6E6F-744E-656564454649\nname=root, type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709\n' | sfdisk -q --no-reread --no-tell-kernel "$loop"
  partx -u "$loop"
  mkfs.ext4 -q -L root "${loop}p2"
  mount -o noatime,discard "${loop}p2" "$mnt"
}
bootstrap() {
  mmdebstrap --mode=root --format=directory --variant=minbase --skip=check/empty \
    --include=linux-image-cloud-amd64,grub-pc,systemd-sysv,systemd-resolved,dbus,openssh-server,cloud-init,cloud-guest-utils,fdisk,ca-certificates,e2fsprogs,iproute2,mount,passwd,zstd \
    --essential-hook='mkdir -p "$1/etc/initramfs-tools/conf.d"; echo MODULES=list > "$1/etc/initramfs-tools/conf.d/modules"' \
    --essential-hook='printf "%s\n" nvme ena xen_blkfront virtio_pci virtio_blk ata_piix sd_mod ext4 > "$1/etc/initramfs-tools/modules"' \
    --essential-hook='echo grub-pc grub-pc/install_devices_empty boolean true | chroot "$1" debconf-set-selections' \
    bookworm "$mnt" 'deb http://deb.debian.org/debian bookworm main' 'deb http://deb.debian.org/debian bookworm-updates main' \
    'deb http://deb.debian.org/debian-security bookworm-security main'
}
grub() {
  mount -t tmpfs dev "$mnt/dev"
  cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty "$loop" "${loop}p1" "${loop}p2" "$mnt/dev"
  mkdir -p "$mnt/dev/pts" "$mnt/dev/disk/by-uuid"
  ln -s "../../${loop#/dev/}p2" "$mnt/dev/disk/by-uuid/$(blkid -s UUID -o value "${loop}p2")"
  mount -t devpts -o newinstance pts "$mnt/dev/pts"
  mount -t proc proc "$mnt/proc"
  mount -t sysfs sys "$mnt/sys"
  chroot "$mnt" grub-install --target=i386-pc "$loop"
  chroot "$mnt" update-grub
}
release() { umount -R "$mnt"; partx -d "$loop"; losetup -d "$loop"; }
snapshot() { cp --reflink=auto --sparse=always "$disk" "$folder/snapshot.img"; }

phase disk make_disk; loop=$(cat "$folder/loop")
phase bootstrap bootstrap
phase grub grub
phase release release; loop=
phase snapshot snapshot
phase remove rm "$disk"
