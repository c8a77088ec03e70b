#!/bin/sh
# packages.sh - the one list of Debian and Ubuntu packages that building, testing and the demo need; installs those that
# are missing and says so. Does nothing, and needs no rights and no network, when all are there.
set -eu

# compiler and build | the library's dependencies | tests | the demo's data
packages='gcc libc6-dev make cmake ninja-build pkg-config
    libdnnl-dev libsleef-dev librandom123-dev libjansson-dev libpng-dev zlib1g-dev libyaml-dev
    libcmocka-dev
    dataset-fashion-mnist'

say() { printf '%s\n' "packages: $*" >&2; }
give_up() {
    say "$*"
    exit 1
}

missing=
for package in $packages; do
    case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || :) in
    installed*) ;;
    *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0

command -v apt-get >/dev/null ||
    give_up "this system has no apt-get; install the equivalents of these packages by hand:$missing"
as_root=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null ||
        give_up "these packages are missing, and installing them needs root or sudo:$missing"
    as_root=sudo
fi

say "installing$missing"
[ -z "$as_root" ] || say "asking sudo for the right to do so"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# quietly COMMAND...: apt-get's words matter only when it fails, and then the last of them.
quietly() {
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o Dpkg::Use-Pty=0 "$@" >"$log" 2>&1 && return
    tail -n 3 "$log" >&2
    return 1
}

quietly update -o APT::Update::Error-Mode=any ||
    say "not every package list could be fetched; trying with the lists that are there"
for package in $missing; do
    apt-cache show --no-all-versions "$package" >/dev/null 2>&1 ||
        give_up "apt knows no package $package: check the network and the package sources (on Ubuntu, 'universe' must be on)"
done
# shellcheck disable=SC2086 # the list is words
quietly install -y --no-install-recommends $missing ||
    give_up "apt-get could not install them (why, it says above): check the network, the rights and the free space, and run this again"
say "installed"
