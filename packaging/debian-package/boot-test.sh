#!/usr/bin/env bash
set -euo pipefail
kHere=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
kRoot=$(cd "$kHere/../.." && pwd)
readonly kHere kRoot
# shellcheck source=packaging/lib.sh
. "$kRoot/packaging/lib.sh"

usage() {
  cat <<'TEXT'
usage: packaging/debian-package/boot-test.sh [--binary FILE]

Installs the package into a fresh Debian 12, boots that with systemd-nspawn, and tries the service:
start, sign-in with a password from a credential, restart after a crash, stop, upgrade, removal. As root,
with the packages debootstrap and systemd-container; takes a few minutes. The exit status is 77 when
such a Debian cannot be booted here.
TEXT
}

binary=()
while (($# > 0)); do
  case $1 in
    --help) usage && exit 0 ;;
    --binary) binary=(--binary "${2:?--binary needs a file}") && shift 2 ;;
    *) usage >&2 && exit 2 ;;
  esac
done
((EUID == 0)) || { say "booting needs root"; exit 77; }
for tool in debootstrap systemd-nspawn; do
  command -v "$tool" >/dev/null || { say "$tool is not installed"; exit 77; }
done

# Not below /tmp: some systems mount that without devices.
work=$(mktemp -d /var/tmp/stratos-boot-test.XXXXXX)
trap 'rm -rf --one-file-system "$work"' EXIT
root=$work/root
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}

say "making a package"
"$kHere/build.sh" --fast --ui "$kRoot/packaging/ui-placeholder" "${binary[@]}" "$work/packages" >"$work/log" 2>&1 ||
  { cat "$work/log" >&2; die "no package was made"; }
package=$(echo "$work"/packages/*.deb)
say "making a Debian"
debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,curl,ca-certificates,openssl bookworm \
  "$root" "$mirror" >"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; die "debootstrap failed"; }
cp "$package" "$root/root/stratos-server.deb"
# Nothing is started while it is installed: there is no systemd yet.
say "installing"
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
cp /etc/resolv.conf "$root/etc/resolv.conf"
chroot "$root" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
  /root/stratos-server.deb </dev/null >"$work/log" 2>&1 ||
  { tail -n 20 "$work/log" >&2; die "the package cannot be installed"; }
rm "$root/usr/sbin/policy-rc.d"

cat >"$root/root/boot-test" <<'TEXT'
#!/bin/bash
exec >/root/boot-test.log 2>&1
trap 'journalctl -u stratos --no-pager | tail -n 30; systemctl --no-block poweroff' EXIT
set -ex
isWell() { curl -ksf -o /dev/null --max-time 2 https://127.0.0.1:5443/pp/v1/ping; }
becomesWell() {
  local end=$((SECONDS + 60))
  until isWell; do ((SECONDS < end)); sleep 0.3; done
}
mainPid() { systemctl show -p MainPID --value stratos; }
becomesWell
systemctl is-active stratos
# A user that only exists while it runs, and nobody else sees its files.
uid=$(awk '/^Uid/ {print $2}' "/proc/$(mainPid)/status")
((uid >= 61184 && uid <= 65519))
grep -q 'CapBnd:.*0000000000000000' "/proc/$(mainPid)/status"
[[ $(stat -c '%a %u' /var/lib/private/stratos) == "700 $uid" ]]
journalctl -u stratos | grep -q 'setup?code='
curl -ks https://127.0.0.1:5443/ | grep -q 'front end is not here yet'

# The password as a credential, the rest as settings.
printf 'AUTH_ENDPOINT_TYPE=local\nLOCAL_USER=admin\n' >>/etc/stratos/stratos.env
install -d -m 700 /etc/credstore
(umask 077 && printf 'boot-test-password' >/etc/credstore/stratos.local-user-password)
systemctl restart stratos
becomesWell
signIn() {
  [[ $(curl -ks -o /dev/null -w '%{http_code}' -d "username=admin&password=$1" \
    https://127.0.0.1:5443/pp/v1/auth/login/uaa) == "$2" ]]
}
signIn boot-test-password 200
signIn wrong 401

# It comes back after a crash, and stops in order.
before=$(mainPid)
kill -KILL "$before"
end=$((SECONDS + 40))
until [[ $(mainPid) != "$before" && $(mainPid) != 0 ]]; do ((SECONDS < end)); sleep 0.3; done
becomesWell
systemctl stop stratos
[[ $(systemctl show -p Result --value stratos) == success ]]
[[ $(systemctl show -p ExecMainStatus --value stratos) == 0 ]]

# As README.Debian says.
systemd-run --pipe --wait -p DynamicUser=yes -p User=stratos -p StateDirectory=stratos \
  -p WorkingDirectory=/var/lib/stratos -p EnvironmentFile=-/etc/stratos/stratos.env \
  -E SQLITE_DB_DIR=/var/lib/stratos -E STRATOS_GENERATE_ENCRYPTION_KEY=true \
  stratos-server check | grep 'the key fits'

# An upgrade keeps the settings and starts it again; removal keeps the data.
dpkg -i /root/stratos-server.deb
becomesWell
grep -q LOCAL_USER=admin /etc/stratos/stratos.env
signIn boot-test-password 200
dpkg -r stratos-server
if isWell; then exit 1; fi
[[ ! -e /usr/bin/stratos-server && -e /etc/stratos/stratos.env ]]
dpkg --purge stratos-server
[[ ! -e /etc/stratos/stratos.env && -e /var/lib/private/stratos/encryption-key ]]
echo BOOT-TEST-PASSED
TEXT
chmod 755 "$root/root/boot-test"
cat >"$root/etc/systemd/system/boot-test.service" <<'TEXT'
[Unit]
After=stratos.service
[Service]
Type=oneshot
ExecStart=/root/boot-test
[Install]
WantedBy=multi-user.target
TEXT
ln -s /etc/systemd/system/boot-test.service \
  "$root/etc/systemd/system/multi-user.target.wants/boot-test.service"

say "booting"
# A network of its own, so that no port of this machine is in the way.
timeout -k 10 300 systemd-nspawn --quiet --directory="$root" --private-network --register=no \
  --keep-unit --boot --console=pipe </dev/null >"$work/console" 2>&1 || true
[[ -s $root/root/boot-test.log ]] ||
  { say "a system cannot be booted here: $(tail -n 1 "$work/console")"; exit 77; }
if ! grep -qx BOOT-TEST-PASSED "$root/root/boot-test.log"; then
  tail -n 60 "$root/root/boot-test.log" >&2
  die "it failed: $(grep '^+' "$root/root/boot-test.log" | tail -n 4 | head -n 1)"
fi
say "booted with systemd $(chroot "$root" systemctl --version | awk 'NR == 1 {print $2}'): all steps were right"
