#!/bin/sh
# Brings a Debian host to where `npm run demo` and `npm test` work: host packages, node_modules, dist.
# What is there already is left alone.   usage: setup.sh run|test|faults|hostile|long|outside|bench
set -eu
cd "$(dirname "$0")/.."

if [ "$(id -u)" != 0 ]; then
  echo "error: this needs root, for mounts, loop devices and packages: sudo npm ${npm_lifecycle_event:+run $npm_lifecycle_event}" >&2
  exit 3
fi

# program:package, or file:package for what has no program
needs="unshare:util-linux mount:mount losetup:mount partx:util-linux blkid:util-linux sfdisk:fdisk mkfs.ext4:e2fsprogs
  mmdebstrap:mmdebstrap gpgv:gpgv /usr/share/keyrings/debian-archive-keyring.gpg:debian-archive-keyring"
tests="ip:iproute2 curl:curl busybox:busybox-static mkfs.xfs:xfsprogs mkfs.btrfs:btrfs-progs mkfs.vfat:dosfstools setfattr:attr"
faults="cc:gcc /usr/include/stdio.h:libc6-dev debugfs:e2fsprogs"
long="qemu-system-x86_64:qemu-system-x86 qemu-img:qemu-utils mformat:mtools ssh:openssh-client ansible-playbook:ansible
  zsh:zsh fish:fish dot:graphviz"
outside="/usr/bin/packer:packer /usr/bin/aws:awscli /usr/lib/python3/dist-packages/boto3:python3-boto3
  ansible-playbook:ansible debugfs:e2fsprogs"
bench="/usr/bin/packer:packer make:make"
case ${1:-run} in
  run) ;;
  test) needs="$needs $tests" ;;
  faults | hostile) needs="$needs $tests $faults" ;;
  long) needs="$needs $tests $long" ;;
  outside) needs="$needs $tests $outside" ;;
  bench) needs="$needs $tests $bench" ;;
esac

missing=
for need in $needs; do
  case $need in
    /*) [ -e "${need%%:*}" ] ;;
    *) command -v "${need%%:*}" >/dev/null ;;
  esac || missing="$missing ${need#*:}"
done
if [ -n "$missing" ]; then
  echo "Installing$missing"
  export DEBIAN_FRONTEND=noninteractive
  apt-get -qq update
  # shellcheck disable=SC2086
  apt-get -qq install --no-install-recommends $missing >/dev/null
fi

if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  echo "Installing node packages"
  npm ci --loglevel=error
fi

if [ ! -e dist/main.js ] || [ -n "$(find src scripts package.json -newer dist/main.js -print -quit)" ]; then
  echo "Building"
  npm run --silent build
fi
