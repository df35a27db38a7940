#!/bin/sh -eu
# Installs Debian packages, and nothing they merely recommend.   environment: PACKAGES
apt-get --quiet update
# shellcheck disable=SC2086
apt-get --quiet --yes --no-install-recommends install $PACKAGES
apt-get clean
rm -rf /var/lib/apt/lists/*
