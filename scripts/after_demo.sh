#!/bin/sh
# What to do with the image that the demo has just built.
set -eu
image=$(bin/chrootfile local images --json | sed -n 's/^ *"id": "\(ami-[0-9a-f]*\)",*$/\1/p' | tail -n 1)
cat <<TEXT

The image is $image. To look at it:
  sudo bin/chrootfile local images
  sudo bin/chrootfile local export $image base.img
  qemu-system-x86_64 -m 1024 -nographic -snapshot -drive file=base.img,format=raw
TEXT
