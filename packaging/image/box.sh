# Runs the root file system of the image without a container engine, as strictly as an engine would
# with --read-only and a user of its own. Needs root. Sourced, never run.
# shellcheck shell=bash disable=SC2034  # Its variables are for the caller.

# imageSettings DOCKERFILE: prints the NAME=value pairs of its last ENV instruction.
imageSettings() {
  sed -n '/^ENV /,/[^\\]$/p' "$1" | sed -e 's/^ENV//' -e 's/\\$//' | tr -s ' ' '\n' | grep '='
}

canBox() {
  ((EUID == 0)) && command -v unshare >/dev/null &&
    unshare --mount --pid --fork --propagation private true 2>/dev/null
}

# startBox ROOT DATA USER:GROUP LOG COMMAND SETTING...: the program of the image, read-only but for
# DATA, as process 1 of its own. Sets boxPid to the process to signal and boxOuter to the one to wait
# for.
startBox() {
  local root=$1 data=$2 user=$3 log=$4 command=$5
  shift 5
  # In a mount name space of its own, so that nothing has to be unmounted.
  unshare --mount --propagation private --pid --fork bash -c '
    set -e
    root=$1 data=$2 user=$3 command=$4
    shift 4
    mount --bind "$root" "$root"
    mount --bind "$data" "$root/data"
    mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
    mount -t proc proc "$root/proc"
    mount -o remount,bind,ro "$root"
    # Resolver and hosts, as engines provide them.
    for file in resolv.conf hosts; do
      [[ ! -e /etc/$file || ! -e $root/etc/$file ]] || mount --bind "/etc/$file" "$root/etc/$file"
    done
    exec env -i "$@" unshare --root="$root" --wd=/srv --setgid="${user#*:}" --setuid="${user%:*}" \
      /usr/bin/stratos-server "$command"
  ' box "$root" "$data" "$user" "$command" "$@" >"$log" 2>&1 &
  boxOuter=$!
  boxPid=
  local try
  for ((try = 0; try < 100; try++)); do
    boxPid=$(pgrep -P "$boxOuter" | head -n 1) || boxPid=
    [[ -z $boxPid ]] || return 0
    kill -0 "$boxOuter" 2>/dev/null || return 0
    sleep 0.05
  done
}

# stopBox: asks it to stop; sets boxStatus to its exit status, 137 if it had to be killed after 10 s.
stopBox() {
  local end=$((SECONDS + 10))
  [[ -z $boxPid ]] || kill -TERM "$boxPid" 2>/dev/null || true
  while kill -0 "$boxOuter" 2>/dev/null && ((SECONDS < end)); do sleep 0.1; done
  killBox
  boxStatus=0
  wait "$boxOuter" || boxStatus=$?
  boxPid=
}

# killBox: ends it at once, and with it all of its processes.
killBox() { [[ -z ${boxPid:-} ]] || kill -KILL "$boxPid" 2>/dev/null || true; }

# runBox ROOT DATA USER:GROUP COMMAND SETTING...: the same to its end; prints what it printed.
runBox() {
  local log status=0 boxPid boxOuter
  log=$(mktemp "${TMPDIR:-/tmp}/stratos-box.XXXXXX")
  startBox "$1" "$2" "$3" "$log" "${@:4}"
  wait "$boxOuter" || status=$?
  cat "$log"
  rm -f "$log"
  return "$status"
}
