//go:build linux

package pcsctest_test

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"smartkiosk/device/cardsim/pcsctest"
	"smartkiosk/device/cardsim/testpki"
)

func TestMain(m *testing.M) { pcsctest.Main(m) }

// readerLine returns the line of the reader in the output of OpenSC, a client of pcscd.
func readerLine(t *testing.T) string {
	t.Helper()
	out, _ := exec.Command("opensc-tool", "--list-readers").CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, pcsctest.Reader) {
			return strings.Join(strings.Fields(line), " ")
		}
	}
	return string(out)
}

const (
	present = "0 Yes " + pcsctest.Reader
	empty   = "0 No " + pcsctest.Reader
)

func TestNamespacesArePrivate(t *testing.T) {
	run, err := os.ReadDir("/run")
	if err != nil || len(run) != 1 || run[0].Name() != "pcscd" {
		t.Errorf("/run holds %v, %v", run, err)
	}
	interfaces, err := net.Interfaces()
	if err != nil || len(interfaces) != 1 || interfaces[0].Flags&net.FlagUp == 0 {
		t.Errorf("network interfaces: %v, %v", interfaces, err)
	}
}

func TestInsertAndRemove(t *testing.T) {
	p, err := testpki.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"valid", "mute"} {
		t.Run(name, func(t *testing.T) {
			d := pcsctest.Start(t)
			if got := readerLine(t); got != empty {
				t.Errorf("before: %s", got)
			}
			for range 2 {
				remove := d.Insert(t, p.Cards[name])
				if got := readerLine(t); got != present {
					t.Errorf("inserted: %s", got)
				}
				remove()
				if got := readerLine(t); got != empty {
					t.Errorf("removed: %s", got)
				}
			}
		})
	}
}

// TestTakesClientsAtOnce checks that pcscd accepts clients when Start and Restart
// return.
func TestTakesClientsAtOnce(t *testing.T) {
	d := pcsctest.Start(t)
	for range 20 {
		client, err := net.Dial("unix", "/run/pcscd/pcscd.comm")
		if err != nil {
			t.Fatal(err)
		}
		client.Close()
		d.Kill()
		d.Restart(t)
	}
}

func TestKillAndRestart(t *testing.T) {
	p, err := testpki.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	d := pcsctest.Start(t)
	remove := d.Insert(t, p.Cards["valid"])
	d.Kill()
	if got := readerLine(t); !strings.Contains(got, "No smart card readers found") {
		t.Errorf("killed: %s", got)
	}
	d.Restart(t)
	if got := readerLine(t); got != present {
		t.Errorf("restarted: %s", got)
	}
	remove()
	if got := readerLine(t); got != empty {
		t.Errorf("removed: %s", got)
	}
}
