//go:build linux

package main

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"smartkiosk/cmd/internal/config"
	"smartkiosk/cmd/internal/network"
)

// machineWith returns a machine whose files are these.
func machineWith(t *testing.T, files map[string]string) machine {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return machine{root: root, now: time.Now}
}

// expect compares a diagnosis with the state and a part of the text that it must have. A
// failure and a warning must come with advice.
func expect(t *testing.T, name string, got diagnosis, state checkState, text string) {
	t.Helper()
	if got.State != state || !strings.Contains(got.Found, text) {
		t.Errorf("%s: %s, %q; want %s, %q", name, got.State, got.Found, state, text)
	}
	if (got.State == stateFailed || got.State == stateWarning) != (got.Advice != "") {
		t.Errorf("%s: %s with the advice %q", name, got.State, got.Advice)
	}
}

func TestDoctorPower(t *testing.T) {
	const throttled, temperature, alarm = "sys/devices/platform/soc/soc:firmware/get_throttled", "sys/class/thermal/thermal_zone0/temp", "sys/class/hwmon/hwmon1/"
	for name, tt := range map[string]struct {
		files map[string]string
		state checkState
		text  string
	}{
		"not a Pi":           {nil, stateUnknown, "does not measure"},
		"good":               {map[string]string{throttled: "0\n", temperature: "48312\n"}, stateOK, "48 °C"},
		"low now":            {map[string]string{throttled: "50005\n"}, stateFailed, "too low now"},
		"low before":         {map[string]string{throttled: "10000\n"}, stateWarning, "too low at times"},
		"slowed down":        {map[string]string{throttled: "4\n"}, stateWarning, "slowed down because"},
		"slowed down before": {map[string]string{throttled: "0x40000\n"}, stateWarning, "slowed down at times"},
		"hot":                {map[string]string{throttled: "0\n", temperature: "81000\n"}, stateWarning, "81 °C"},
		"Debian's kernel":    {map[string]string{alarm + "name": "rpi_volt\n", alarm + "in0_lcrit_alarm": "0\n"}, stateOK, "no low voltage"},
		"its alarm":          {map[string]string{alarm + "name": "rpi_volt\n", alarm + "in0_lcrit_alarm": "1\n"}, stateWarning, "too low"},
		"another sensor":     {map[string]string{alarm + "name": "cpu_thermal\n", alarm + "in0_lcrit_alarm": "1\n"}, stateUnknown, "does not measure"},
		"not a number":       {map[string]string{throttled: "?\n"}, stateUnknown, "does not measure"},
	} {
		d := &doctor{machine: machineWith(t, tt.files)}
		expect(t, name, d.power(t.Context()), tt.state, tt.text)
	}
}

func TestDoctorStorage(t *testing.T) {
	const mounts, ext4, device = "proc/self/mounts", "sys/fs/ext4/mmcblk0p3/", "sys/block/mmcblk0/device/"
	const table = "/dev/mmcblk0p2 / ext4 ro,relatime 0 0\n/dev/mmcblk0p3 /var ext4 rw,noatime 0 0\n/dev/mmcblk0p4 /variable ext4 ro 0 0\n"
	for name, tt := range map[string]struct {
		files map[string]string
		state checkState
		text  string
	}{
		"no table":        {nil, stateUnknown, "/var/lib/smartkiosk"},
		"good":            {map[string]string{mounts: table, ext4 + "errors_count": "0\n", ext4 + "lifetime_write_kbytes": "2500000", device + "name": "SD32G\n", device + "date": "03/2024\n"}, stateOK, "/dev/mmcblk0p3 (ext4), SD32G made 03/2024, 2.5 GB written"},
		"became readonly": {map[string]string{mounts: strings.ReplaceAll(table, "rw,", "ro,")}, stateFailed, "read-only"},
		"errors":          {map[string]string{mounts: table, ext4 + "errors_count": "3\n"}, stateFailed, "3 errors"},
		"young eMMC":      {map[string]string{mounts: table, device + "life_time": "0x01 0x02\n", device + "pre_eol_info": "0x01\n"}, stateOK, "mmcblk0p3"},
		"old eMMC":        {map[string]string{mounts: table, device + "life_time": "0x01 0x09\n", device + "pre_eol_info": "0x01\n"}, stateWarning, "90 %"},
		"worn eMMC":       {map[string]string{mounts: table, device + "life_time": "0x0b 0x01\n"}, stateFailed, "worn out"},
		"no spare blocks": {map[string]string{mounts: table, device + "life_time": "0x01 0x01\n", device + "pre_eol_info": "0x03\n"}, stateFailed, "spare blocks"},
	} {
		d := &doctor{machine: machineWith(t, tt.files), config: "absent.toml"}
		expect(t, name, d.storage(t.Context()), tt.state, tt.text)
	}
	for partition, want := range map[string]string{"mmcblk0p2": "mmcblk0", "mmcblk0": "mmcblk0", "nvme0n1p1": "nvme0n1", "sda1": "sda", "vda": "vda"} {
		if got := diskOf(partition); got != want {
			t.Errorf("the disk of %s is %s, want %s", partition, got, want)
		}
	}
}

func TestDoctorSpace(t *testing.T) {
	for name, tt := range map[string]struct {
		free  uint64
		err   error
		state checkState
		text  string
	}{
		"much":        {8 << 30, nil, stateOK, "8192 MB of 16384 MB are free"},
		"little":      {200 << 20, nil, stateWarning, "200 MB"},
		"none":        {1 << 20, nil, stateFailed, "cannot grow"},
		"not told":    {0, errors.New("input/output error"), stateUnknown, "input/output error"},
		"no such dir": {0, fs.ErrNotExist, stateUnknown, "not exist"},
	} {
		d := &doctor{config: "absent.toml", disk: func(string) (uint64, uint64, error) { return tt.free, 16 << 30, tt.err }}
		expect(t, name, d.space(t.Context()), tt.state, tt.text)
	}
	d := &doctor{config: "absent.toml", disk: diskSpace}
	if got := d.space(t.Context()); got.State == stateUnknown {
		t.Errorf("of a folder that is not there yet: %s", got.Found)
	}
}

func TestDoctorClock(t *testing.T) {
	for name, tt := range map[string]struct {
		synchronised bool
		state        checkState
		text         string
	}{
		"kept": {true, stateOK, "kept by a time server"},
		"free": {false, stateWarning, "no time server confirms it"},
	} {
		d := &doctor{machine: machine{now: time.Now}, config: "absent.toml", synchronised: func() bool { return tt.synchronised }}
		expect(t, name, d.clock(t.Context()), tt.state, tt.text)
	}
}

func TestDoctorNetwork(t *testing.T) {
	const routes = "Iface\tDestination\tGateway\neth0\t000200C0\t00000000\t0001\n"
	const gateway = routes + "eth0\t00000000\t010200C0\t0003\n"
	const gateway6 = "00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003 eth0\n"
	address := []netip.Addr{netip.MustParseAddr("192.0.2.7")}
	for name, tt := range map[string]struct {
		interfaces []network.Interface
		files      map[string]string
		state      checkState
		text       string
	}{
		"none":       {nil, nil, stateFailed, "no network interface"},
		"no cable":   {[]network.Interface{{Name: "eth0", Up: true}}, nil, stateFailed, "eth0 is not connected"},
		"no Wi-Fi":   {[]network.Interface{{Name: "wlan0", Up: true}}, nil, stateFailed, "wlan0 is not connected"},
		"no address": {[]network.Interface{{Name: "wlan0"}, {Name: "eth0", Up: true, Link: true}}, nil, stateFailed, "eth0 is connected but has no address"},
		"old lease":  {[]network.Interface{{Name: "eth0", Up: true, Addresses: address}}, nil, stateFailed, "eth0 is not connected"},
		"no gateway": {[]network.Interface{{Name: "eth0", Up: true, Link: true, Addresses: address}}, map[string]string{"proc/net/route": routes}, stateWarning, "no gateway"},
		"good":       {[]network.Interface{{Name: "wlan0"}, {Name: "eth0", Up: true, Link: true, Addresses: address}}, map[string]string{"proc/net/route": gateway}, stateOK, "eth0 has 192.0.2.7, a gateway on eth0"},
		"good IPv6":  {[]network.Interface{{Name: "eth0", Up: true, Link: true, Addresses: address}}, map[string]string{"proc/net/ipv6_route": gateway6}, stateOK, "a gateway on eth0"},
	} {
		d := &doctor{machine: machineWith(t, tt.files), interfaces: func() ([]network.Interface, error) { return tt.interfaces, nil }}
		got := d.network(t.Context())
		expect(t, name, got, tt.state, tt.text)
		if name == "no Wi-Fi" && !strings.Contains(got.Advice, "password of the Wi-Fi") {
			t.Errorf("%s: the advice is %q", name, got.Advice)
		}
	}
}

func TestDoctorDNS(t *testing.T) {
	for name, tt := range map[string]struct {
		url   string
		err   error
		state checkState
		text  string
	}{
		"address": {"https://192.0.2.1:8443", errors.New("must not be asked"), stateOK, "not needed"},
		"known":   {"https://hub.example.org", nil, stateOK, "hub.example.org is 192.0.2.1"},
		"unknown": {"https://hub.example.org", &net.DNSError{IsNotFound: true}, stateFailed, "no name hub.example.org"},
		"silent":  {"https://hub.example.org", &net.DNSError{IsTimeout: true, Err: "i/o timeout"}, stateFailed, "i/o timeout"},
	} {
		d := &doctor{settings: &config.Config{Hub: config.Hub{URL: tt.url}}, resolve: func(context.Context, string) ([]string, error) { return []string{"192.0.2.1"}, tt.err }}
		expect(t, name, d.dns(t.Context()), tt.state, tt.text)
	}
}

// TestHubConnection checks what is said about connections that fail. TestDoctorAndHub has
// those to a real hub.
func TestHubConnection(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		text string
	}{
		"refused":  {&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, "nothing listens on port 443"},
		"no route": {&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EHOSTUNREACH)}, "no way to hub.example.org:443"},
		"silent":   {context.DeadlineExceeded, "hub.example.org:443 does not answer"},
	} {
		d := &doctor{settings: &config.Config{Hub: config.Hub{URL: "https://hub.example.org"}}, dial: func(context.Context, string, string) (net.Conn, error) { return nil, tt.err }}
		expect(t, name, d.hub(t.Context()), stateFailed, tt.text)
	}
}

func TestDoctorVersions(t *testing.T) {
	for name, tt := range map[string]struct {
		installed, running string
		err                error
		state              checkState
		text               string
	}{
		"missing":     {"", "", errors.New("not found"), stateWarning, "kioskd is not installed"},
		"not started": {"2", "1", nil, stateWarning, "kioskd 2 is installed, but 1 runs"},
		"other":       {"not kioskctl's", "", nil, stateWarning, "kioskd is not kioskctl's"},
	} {
		d := &doctor{
			machine: machineWith(t, map[string]string{"etc/os-release": "NAME=x\nPRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\n", "proc/sys/kernel/osrelease": "6.12\n"}),
			running: tt.running, installed: func(context.Context) (string, error) { return tt.installed, tt.err },
		}
		got := d.versions(t.Context())
		expect(t, name, got, tt.state, tt.text)
		if !strings.Contains(got.Found, "Debian GNU/Linux 13 (trixie), Linux 6.12") {
			t.Errorf("%s: %q", name, got.Found)
		}
	}
}

// TestDoctorReader checks a reader that is not there, not driven, or not the configured one.
func TestDoctorReader(t *testing.T) {
	usb := map[string]string{
		"sys/bus/usb/devices/1-1.2:1.0/bInterfaceClass": "0b\n", "sys/bus/usb/devices/1-1.2/product": "EMV Smartcard Reader\n",
		"sys/bus/usb/devices/1-1.3:1.0/bInterfaceClass": "03\n", "sys/bus/usb/devices/1-1.3/product": "Number pad\n",
	}
	for name, tt := range map[string]struct {
		readers []string
		match   string
		files   map[string]string
		state   checkState
		text    string
	}{
		"any":        {[]string{"Gemalto 00 00"}, "", nil, stateOK, `"Gemalto 00 00"`},
		"the one":    {[]string{"ACS 00 00", "Gemalto 01 00"}, "Gemalto", nil, stateOK, `"Gemalto 01 00"`},
		"another":    {[]string{"ACS 00 00"}, "Gemalto", usb, stateFailed, `no reader's name contains "Gemalto"; there is "ACS 00 00"`},
		"not driven": {nil, "", usb, stateFailed, `"EMV Smartcard Reader"`},
		"none":       {nil, "Gemalto", nil, stateFailed, "no card reader is plugged in"},
	} {
		d := &doctor{machine: machineWith(t, tt.files), settings: &config.Config{Reader: config.Reader{Match: tt.match}}}
		d.machine.readers = func() ([]string, error) { return tt.readers, nil }
		expect(t, name, d.reader(t.Context()), tt.state, tt.text)
	}
}
