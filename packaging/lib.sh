# Functions that the scripts of this folder share. Sourced, never run.
# shellcheck shell=bash

say() { printf '%s\n' "$*"; }
warn() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() {
  warn "$@"
  exit 1
}

# Runs a command as root, with sudo if need be.
asRoot() {
  if ((EUID == 0)); then
    "$@"
  else
    sudo "$@"
  fi
}

isInstalled() {
  [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

# installPackages NAME...: installs the Debian packages that are missing.
installPackages() {
  local name log
  local -a missing=()
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    die "this is no Debian-like system; please install what these Debian packages hold: $*"
  fi
  for name in "$@"; do
    isInstalled "$name" || missing+=("$name")
  done
  ((${#missing[@]} > 0)) || return 0
  if ((EUID != 0)) && ! command -v sudo >/dev/null; then
    die "packages are missing and there is no sudo; as root run: apt-get install ${missing[*]}"
  fi
  say "Installing: ${missing[*]}"
  asRoot apt-get update -qq || warn "the package lists could not be updated; trying the old ones"
  log=$(asRoot env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null 2>&1) || {
    printf '%s\n' "$log" >&2
    die "the packages could not be installed; try: apt-get install ${missing[*]}"
  }
}

# The packages that building the library and the programs takes. Debian 12 has the C sources of
# llhttp in node-llhttp, later releases have a library.
buildPackages() {
  printf '%s\n' g++ cmake ninja-build libpoco-dev rapidjson-dev libssl-dev zlib1g-dev \
    libcrypt-dev libpq-dev libsqlite3-dev libyaml-cpp-dev \
    libboost-context-dev
  if [[ $(. /etc/os-release && printf '%s' "${VERSION_ID:-0}") == 12 ]]; then
    printf '%s\n' node-llhttp
  else
    printf '%s\n' libllhttp-dev
  fi
}

isPortBusy() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# freePort [WISH]: prints the wish if nothing listens there, else a port that is free now. Ports
# below the range that the kernel hands to clients, so that none of them takes it meanwhile.
freePort() {
  local port=${1:-$((20000 + RANDOM % 10000))} try
  for ((try = 0; try < 100; try++)); do
    if ! isPortBusy "$port"; then
      printf '%s' "$port"
      return 0
    fi
    port=$((20000 + RANDOM % 10000))
  done
  return 1
}

# waitUntil SECONDS COMMAND...: runs the command until it succeeds; false when time is up.
waitUntil() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < end)) || return 1
    sleep 0.2
  done
}

# randomHex BYTES
randomHex() { od -An -N "$1" -tx1 /dev/urandom | tr -d ' \n'; }
