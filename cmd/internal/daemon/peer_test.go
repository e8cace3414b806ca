package daemon

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// listeners returns a listener of each kind that only local users may use.
func listeners(t *testing.T) map[string]net.Listener {
	t.Helper()
	all := map[string]net.Listener{}
	for network, address := range map[string]string{"tcp4": "127.0.0.1:0", "tcp6": "[::1]:0", "unix": filepath.Join(t.TempDir(), "s")} {
		l, err := net.Listen(network, address)
		if network == "tcp6" && err != nil {
			continue // the machine has no IPv6
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		all[network] = l
	}
	return all
}

func TestPeerUser(t *testing.T) {
	for network, l := range listeners(t) {
		client, err := net.Dial(l.Addr().Network(), l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		server, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		if id, err := peerUser(server); err != nil || id != os.Geteuid() {
			t.Errorf("%s: user %d, %v, want %d", network, id, err, os.Geteuid())
		}
	}
}

// TestOtherUsersAreRefused checks that the connection of a user who is not on the list
// is closed, and that the next one is served.
func TestOtherUsersAreRefused(t *testing.T) {
	for network, l := range listeners(t) {
		var log bytes.Buffer
		guarded := &peerListener{l, []int{os.Geteuid() + 1}, slog.New(slog.NewTextHandler(&log, nil))}
		ended := make(chan error)
		go func() {
			_, err := guarded.Accept()
			ended <- err
		}()
		client, err := net.Dial(l.Addr().Network(), l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if n, err := client.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("%s: a connection of another user lives on: %v", network, err)
		}
		client.Close()
		l.Close()
		if err := <-ended; err == nil {
			t.Errorf("%s: another user was accepted", network)
		}
		if !strings.Contains(log.String(), "connection refused") {
			t.Errorf("%s: logged %q", network, &log)
		}
	}
	l := listeners(t)["unix"]
	if _, err := forUsers(l, slog.New(slog.DiscardHandler), "no such user"); err == nil {
		t.Error("an unknown user is accepted")
	}
	guarded, err := forUsers(l, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	client, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if c, err := guarded.Accept(); err != nil {
		t.Errorf("the own user is refused: %v", err)
	} else {
		c.Close()
	}
}
