#!/bin/sh -eu
# Installs the Debian packages in $PACKAGES, without packages they only recommend.
apt-get --quiet update
# shellcheck disable=SC2086
apt-get --quiet --yes --no-install-recommends install $PACKAGES
apt-get clean
rm -rf /var/lib/apt/lists/*
