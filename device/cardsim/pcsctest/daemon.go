//go:build linux

package pcsctest

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"smartkiosk/device/cardsim"
)

// Reader is the PC/SC name of a Daemon's reader, and Address is where a card
// connects to it. A Daemon has a second reader, which stays empty.
const (
	Reader  = "Virtual PCD 00 00"
	Address = "127.0.0.1:35963"
)

// readerConf is a reader.conf(5) with only the virtual reader.
const readerConf = `FRIENDLYNAME "Virtual PCD"
DEVICENAME   /dev/null:0x8C7B
LIBPATH      /usr/lib/pcsc/drivers/serial/libifdvpcd.so
CHANNELID    0x8C7B
`

// patience is the time limit for pcscd. It matters only when a test fails;
// normally pcscd needs less than a second.
const patience = 20 * time.Second

// Daemon is a running pcscd.
type Daemon struct {
	config   string
	log      *journal
	cmd      *exec.Cmd
	ended    chan struct{}
	inserted map[*insertion]bool
}

// only allows one pcscd at a time, because all use the same socket.
var only sync.Mutex

// Start starts a pcscd and returns when it accepts clients. pcscd is stopped
// when the test ends; another test that calls Start waits for that.
func Start(t testing.TB) *Daemon {
	t.Helper()
	only.Lock()
	t.Cleanup(only.Unlock)
	d := &Daemon{config: t.TempDir(), inserted: make(map[*insertion]bool)}
	if err := os.WriteFile(filepath.Join(d.config, "vpcd"), []byte(readerConf), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.Kill()
		if t.Failed() {
			t.Logf("log of pcscd:\n%s", d.log)
		}
	})
	d.start(t)
	return d
}

func (d *Daemon) start(t testing.TB) {
	t.Helper()
	d.log, d.ended = newJournal(), make(chan struct{})
	d.cmd = exec.Command("/usr/sbin/pcscd", "--foreground", "--info", "--config", d.config)
	d.cmd.Stdout, d.cmd.Stderr = d.log, d.log
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := d.cmd.Start(); err != nil {
		t.Fatalf("cannot start pcscd: %v", err)
	}
	go func(cmd *exec.Cmd, log *journal, ended chan struct{}) {
		cmd.Wait()
		log.close()
		close(ended)
	}(d.cmd, d.log, d.ended)
	d.await(t, "daemon ready")
	d.awaitSocket(t)
}

// socket is where pcscd's clients find it (libpcsclite's PCSCLITE_CSOCK_NAME).
const socket = "/run/pcscd/pcscd.comm"

// awaitSocket waits until pcscd accepts clients. pcscd logs that it is ready
// shortly before it listens, and refuses clients in between.
func (d *Daemon) awaitSocket(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	retry := time.NewTicker(time.Millisecond)
	defer retry.Stop()
	for {
		client, err := net.Dial("unix", socket)
		if err == nil {
			client.Close()
			return
		}
		select {
		case <-retry.C:
		case <-d.ended:
			t.Fatalf("pcscd ended before it accepted clients; its log:\n%s", d.log)
		case <-ctx.Done():
			t.Fatalf("pcscd accepts no clients: %v; its log:\n%s", err, d.log)
		}
	}
}

// Kill ends pcscd with SIGKILL, like a crash. Its socket file remains, and
// inserted cards stay in the reader.
func (d *Daemon) Kill() {
	d.cmd.Process.Kill()
	<-d.ended
}

// Restart starts pcscd again after Kill, and returns when pcscd has detected
// the cards that are still inserted.
func (d *Daemon) Restart(t testing.TB) {
	t.Helper()
	d.start(t)
	for i := range d.inserted {
		<-i.ended
		i.serve()
		d.await(t, i.seen)
	}
}

// insertion is a card in the reader.
type insertion struct {
	card   *cardsim.Card
	seen   string // log text of pcscd when it detects the card
	cancel context.CancelFunc
	ended  chan error
}

// serve lets the card answer the reader until cancel is called or pcscd ends.
func (i *insertion) serve() {
	ctx, cancel := context.WithCancel(context.Background())
	i.cancel, i.ended = cancel, make(chan error, 1)
	go func() { i.ended <- cardsim.ServeVPCD(ctx, Address, i.card) }()
}

// Insert inserts a card into the reader and returns when pcscd has detected it.
// remove removes the card and waits for pcscd too. The card is also removed at
// the end of the test.
func (d *Daemon) Insert(t testing.TB, card *cardsim.Card) (remove func()) {
	t.Helper()
	i := &insertion{card: card, seen: sawCard}
	if card.ATR() == nil {
		i.seen = sawMuteCard
	}
	i.serve()
	d.await(t, i.seen)
	d.inserted[i] = true
	var once sync.Once
	remove = func() {
		once.Do(func() {
			delete(d.inserted, i)
			i.cancel()
			<-i.ended
			if !d.log.isClosed() {
				d.AwaitRemoval(t)
			}
		})
	}
	t.Cleanup(remove)
	return remove
}

// AwaitCard waits until pcscd detects a card that another process inserts: the
// first one since the start or since AwaitRemoval.
func (d *Daemon) AwaitCard(t testing.TB) {
	t.Helper()
	d.await(t, sawCard)
}

// AwaitRemoval waits until pcscd detects that the card was removed.
func (d *Daemon) AwaitRemoval(t testing.TB) {
	t.Helper()
	d.await(t, sawRemoval)
}

// Log texts of pcscd about cards. sawCard is the last text about an insertion.
// pcscd also logs it for a card that was in the reader from the start.
const (
	sawCard     = "Card ATR:"
	sawMuteCard = "Error powering up card"
	sawRemoval  = "Card Removed From " + Reader
)

// await waits for new text in the log of pcscd.
func (d *Daemon) await(t testing.TB, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := d.log.await(ctx, text); err != nil {
		t.Fatalf("pcscd did not log %q: %v; its log:\n%s", text, err, d.log)
	}
}
