#!/bin/sh
# The test of the packages, run by inside.service as root in a fresh machine (see
# test.sh). Each check is a line in the result folder. It ends at the first failure.
set -eu

result=/packages/result
export DEBIAN_FRONTEND=noninteractive

# check WHAT COMMAND... fails the test unless the command succeeds.
check() {
	what=$1
	shift
	if "$@" >"$result/last" 2>&1; then
		echo "ok      $what" >>"$result/checks"
	else
		{ echo "FAILED  $what: $*"; cat "$result/last"; } >>"$result/checks"
		exit 1
	fi
}
fails() { ! "$@"; }
# within COMMAND... tries for a minute.
within() {
	for _ in $(seq 240); do
		"$@" && return 0
		sleep 0.25
	done
	return 1
}
install_from() { dpkg -i /packages/"$1"/kioskd_*"$arch".deb /packages/"$1"/kioskctl_*"$arch".deb /packages/"$1"/kioskhub_*"$arch".deb /packages/"$1"/smartkiosk-demo_*"$arch".deb; }
# files lists the files of the machine, except those that change by themselves.
files() {
	find / -xdev \( -path /proc -o -path /sys -o -path /run -o -path /tmp -o -path /packages -o -path /var/log -o -path /var/cache \
		-o -path /var/lib/dpkg -o -path /var/lib/systemd -o -path /dev -o -path /var/tmp \) -prune -o -print | sort
}
events() { kioskctl events list --from /var/lib/smartkiosk/kioskd.sock; }
# first_event prints the sequence number, time and type of the first event.
first_event() { kioskctl events list --from "$1" | awk 'NR == 2 { print $1, $2, $3, $4 }'; }
main_pid() { systemctl show -P MainPID "$1"; }
property() { test "$(systemctl show -P "$2" "$1")" = "$3"; }
version_is() { test "$(dpkg-query -W -f '${Version}' kioskd)" = "$1"; }
waits() { events | grep -q ' waits$'; }
# enrol gets a certificate for the kiosk k1, as root on the machine that is to be the kiosk.
enrol() {
	kioskctl enrol --hub https://127.0.0.1:8443 --dir /etc/smartkiosk --tpm off \
		--code "$(runuser -u kioskhub -- kioskhub codes new --dir /var/lib/kioskhub k1 | head -n 1)"
}
delivered() { events | tail -1 | grep -q ' has it$'; }

arch=$(dpkg --print-architecture)
older=$(dpkg-deb -f /packages/older/kioskd_*"$arch".deb Version)
newer=$(dpkg-deb -f /packages/newer/kioskd_*"$arch".deb Version)
files >"$result/before"

check 'install the older version' install_from older
check 'kioskd has a user' id kioskd
check 'kioskd is enabled' systemctl is-enabled kioskd
check 'kioskd without configuration does not fail' property kioskd ActiveState inactive
check 'kioskhub without a hub does not fail' property kioskhub ActiveState inactive
check 'the commands are complete in bash' sh -c 'bash -c "source /usr/share/bash-completion/completions/kioskctl && complete -p kioskctl"'

# A hub, and a kiosk that root enrols.
check 'make test cards' smartkortsim pki /root/pki
chmod 0755 /root /root/pki
check 'make a hub' runuser -u kioskhub -- kioskhub init --listen 127.0.0.1:8443 --trust /root/pki /var/lib/kioskhub
check 'the hub starts' systemctl start kioskhub
check 'enrol the kiosk' enrol
check 'the kiosk starts' systemctl start kioskd
check 'the kiosk is active' systemctl is-active kioskd
check 'the kiosk has a watchdog' property kioskd WatchdogUSec 30s
check 'other users cannot read its key' fails runuser -u nobody -- cat /etc/smartkiosk/kiosk.key
check 'other users cannot read its events' fails runuser -u nobody -- kioskctl events list
# Another user must not type PINs at the panel, or read a name from it.
# shellcheck disable=SC2016
page='exec 3<>/dev/tcp/127.0.0.1/8080; printf "GET /panel/ HTTP/1.0\r\nHost: 127.0.0.1:8080\r\n\r\n" >&3; grep -q "^HTTP/1.[01] 200" <&3'
check 'kioskd serves its panel to its own user' within runuser -u kioskd -- bash -c "$page"
check 'and not to other users' fails runuser -u games -- bash -c "$page"
check 'the kiosk delivers its events' within delivered

# The reader. Without the polkit rule pcscd refuses kioskd.
check 'kioskd may use the reader' runuser -u kioskd -- sh -c 'kioskctl panel detect | grep "Virtual PCD"'
# Debian 12's pcscd asks nobody.
[ ! -e /usr/share/polkit-1/actions/org.debian.pcsc-lite.policy ] ||
	check 'another user may not' fails runuser -u games -- sh -c 'kioskctl panel detect | grep "Virtual PCD"'
check 'kioskd sees the reader' within sh -c 'journalctl -u kioskd | grep -q "Virtual PCD"'

check 'doctor finds no failure' kioskctl doctor
as_kioskd() { nsenter --target "$(main_pid kioskd)" --mount --setuid "$(id -u kioskd)" --setgid "$(id -g kioskd)" "$@"; }
check 'kioskd may replace its certificate' as_kioskd test -w /etc/smartkiosk
check 'kioskd may write its state' as_kioskd test -w /var/lib/smartkiosk
check 'not even root may write elsewhere in kioskd' fails nsenter --target "$(main_pid kioskd)" --mount touch /usr/bin/kioskd /etc/hosts

# Groups give access to the devices of a panel, also in kioskd's own user namespace.
for group in gpio i2c input dialout audio; do
	install -m 0060 -g "$group" /dev/null "/srv/$group"
	check "kioskd may use devices of $group" systemd-run --quiet --wait -p User=kioskd -p PrivateUsers=yes test -r "/srv/$group" -a -w "/srv/$group"
	rm "/srv/$group"
done

# The watchdog: a kiosk that hangs is started again.
mkdir -p /run/systemd/system/kioskd.service.d
printf '[Service]\nWatchdogSec=8\n' >/run/systemd/system/kioskd.service.d/watchdog.conf
systemctl daemon-reload
systemctl restart kioskd
before=$(main_pid kioskd)
# A second process of the unit, as the guardian of a door is, is stopped too. It must not survive.
sleep 1000 &
left=$!
echo "$left" >/sys/fs/cgroup/system.slice/kioskd.service/cgroup.procs
kill -STOP "$before" "$left"
check 'a kiosk that hangs is started again' within sh -c "journalctl -u kioskd | grep -q 'Watchdog timeout' && systemctl is-active kioskd && test \$(systemctl show -P MainPID kioskd) != $before"
check 'a stopped process of the unit is ended before that' fails grep -q '^State:.[^Z]' "/proc/$left/status"
rm -r /run/systemd/system/kioskd.service.d
systemctl daemon-reload

# Without a hub the kiosk starts all the same, and its events wait.
systemctl stop kioskhub
check 'the kiosk starts without a hub' systemctl restart kioskd
check 'its events wait' within waits
# Without a reader, too.
systemctl stop pcscd.socket pcscd.service
check 'the kiosk starts without a PC/SC service' systemctl restart kioskd
check 'it stays active' systemctl is-active kioskd
systemctl start pcscd.socket

echo '# changed by the technician' >>/etc/smartkiosk/kioskd.toml
configured=$(sha256sum /etc/smartkiosk/kioskd.toml)
first=$(first_event /var/lib/smartkiosk/kioskd.sock)
before=$(main_pid kioskd)
check 'upgrade' install_from newer
check 'the newer version is installed' version_is "$newer"
check 'the kiosk was started again' sh -c "test \$(systemctl show -P MainPID kioskd) != $before"
check 'the kiosk is active' systemctl is-active kioskd
check 'its events are kept' test "$(first_event /var/lib/smartkiosk/kioskd.sock)" = "$first"
check 'its configuration is kept' test "$(sha256sum /etc/smartkiosk/kioskd.toml)" = "$configured"

check 'downgrade' install_from older
check 'the older version is installed' version_is "$older"
check 'the kiosk is active' systemctl is-active kioskd
check 'its events are kept' test "$(first_event /var/lib/smartkiosk/kioskd.sock)" = "$first"
check 'its events are in order' kioskctl events verify
check 'its configuration is kept' test "$(sha256sum /etc/smartkiosk/kioskd.toml)" = "$configured"

# From here on, events wait.
systemctl disable --now kioskhub 2>/dev/null
systemctl disable kioskd 2>/dev/null
check 'upgrade again' install_from newer
check 'a disabled kioskd stays disabled' fails systemctl is-enabled kioskd
check 'a disabled kioskhub stays stopped' property kioskhub ActiveState inactive
systemctl enable --now kioskd 2>/dev/null
check 'events wait' within waits

check 'remove' dpkg --remove kioskd
check 'the kiosk is stopped' fails systemctl is-active kioskd
check 'its unit is gone' fails systemctl cat kioskd
check 'its outbox is kept' test "$(first_event /var/lib/smartkiosk/outbox.db)" = "$first"
check 'its configuration is kept' test "$(sha256sum /etc/smartkiosk/kioskd.toml)" = "$configured"
check 'install again' dpkg -i /packages/newer/kioskd_*"$arch".deb
check 'the kiosk is active' systemctl is-active kioskd
check 'its events are kept' test "$(first_event /var/lib/smartkiosk/kioskd.sock)" = "$first"

# Purging asks. Without a person to answer, unsent events are kept.
check 'purge with unsent events' dpkg --purge kioskd
check 'its outbox is kept' test "$(first_event /var/lib/smartkiosk/outbox.db)" = "$first"
check 'its key is gone' fails test -e /etc/smartkiosk
check 'purge leaves no other file' sh -c 'test "$(find /etc /usr -name kioskd -o -name "*kioskd.*" | wc -l)" = 0'

# A person who is asked, and refuses.
check 'install again' dpkg -i /packages/newer/kioskd_*"$arch".deb
check 'purge, asked' sh -c 'printf "no\n" | DEBIAN_FRONTEND=teletype TERM=dumb script -qec "dpkg --purge kioskd" /dev/null >/packages/result/asked'
check 'the question says how many events' grep -q 'Delete [0-9]* events that the hub does not have' /packages/result/asked
check 'its outbox is kept' test "$(first_event /var/lib/smartkiosk/outbox.db)" = "$first"

# A person who agrees.
check 'install again' dpkg -i /packages/newer/kioskd_*"$arch".deb
check 'agree to delete unsent events' sh -c 'echo kioskd kioskd/delete-unsent boolean true | debconf-set-selections'
check 'purge' dpkg --purge kioskd
check 'its state is gone' fails test -e /var/lib/smartkiosk

# A kiosk without unsent events is purged without a question.
check 'install again' dpkg -i /packages/newer/kioskd_*"$arch".deb
check 'the hub starts' systemctl start kioskhub
check 'enrol the kiosk again' enrol
check 'the kiosk starts' systemctl start kioskd
check 'the kiosk delivers its events' within delivered
check 'the hub is healthy' property kioskhub ActiveState active
check 'purge' dpkg --purge kioskd
check 'its state is gone' fails test -e /var/lib/smartkiosk

check 'purge a hub' dpkg --purge kioskhub
check 'the hub is kept' test -e /var/lib/kioskhub/hub.toml
check 'purge the rest' dpkg --purge kioskctl smartkiosk-demo
rm -r /var/lib/kioskhub /root/pki
files >"$result/after"
check 'nothing else is left' sh -c "diff $result/before $result/after | grep -v '^[0-9]' | grep -vE '/etc/(passwd|shadow|group|gshadow|.pwd.lock)' | tee $result/left | grep -c . | grep -qx 0 || { cat $result/left; false; }"
check 'no service has failed' sh -c '! systemctl --failed --no-legend | grep kiosk'
