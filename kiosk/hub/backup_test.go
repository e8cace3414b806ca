package hub

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"smartkiosk/kiosk/protocol/hubapi"
)

// folderHub is a hub on the embedded JetStream of its own folder, as in operation.
func folderHub(t *testing.T, dir string) (b *bed, h *Hub, url string, stop func()) {
	t.Helper()
	cfg, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if h, err = Open(t.Context(), cfg, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(h.Handler())
	srv.TLS = h.tls()
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	srv.StartTLS()
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			srv.Close()
			h.Close()
		}
	}
	t.Cleanup(stop)
	return &bed{t: t, dir: dir, conn: h.conn}, h, srv.URL, stop
}

// A backup is made while the hub serves, and becomes a hub with the same events, cursors and
// certificates. Events after the backup are a loud error for consumers, and kiosks send it
// again.
func TestBackupAndRestore(t *testing.T) {
	dir := newFolder(t)
	b, _, url, stop := folderHub(t, dir)
	k1, office, away := b.kiosk(url, "k1"), b.consumer(url, "office"), b.consumer(url, "away")
	first := k1.events(3)
	k1.send(first, 3)
	away.ack(away.pulled(2, "k1/1", "k1/2"))

	// Events arrive while the backup is made.
	sending, sent := make(chan struct{}), make(chan int)
	go func() {
		n := 3
		for {
			select {
			case <-sending:
				sent <- n
				return
			default:
				if _, err := k1.SendEvents(context.Background(), k1.events(1)); err != nil {
					t.Error(err)
				}
				n++
			}
		}
	}()
	backup := filepath.Join(t.TempDir(), "backup")
	made, err := MakeBackup(t.Context(), dir, backup)
	close(sending)
	last := <-sent
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range made.Streams {
		if s.Name == "KV_"+challengesBucket || s.Name == "KV_"+codesBucket {
			t.Errorf("the backup has %s", s.Name)
		}
	}
	k1.send(k1.events(1), uint64(last+1)) // after the backup
	_, cursor := office.pull(100, 0)
	office.ack(cursor)
	stop()

	again := filepath.Join(t.TempDir(), "again")
	if _, err := Restore(t.Context(), backup, again); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{caKeyFile, sealFile, settingsFile, "kiosks/k1/kiosk.key"} {
		was, err := os.ReadFile(filepath.Join(dir, name))
		is, err2 := os.ReadFile(filepath.Join(again, name))
		if err := errors.Join(err, err2); err != nil || string(was) != string(is) {
			t.Errorf("%s differs: %v", name, err)
		}
	}
	b, h, url, _ := folderHub(t, again)
	k1, office, away = k1.to(url), office.to(url), away.to(url)
	info, err := streamInfo(t.Context(), h.events)
	if err != nil {
		t.Fatal(err)
	}
	if n := made.Streams[1]; n.Name != eventsStream || n.Messages != info.State.Msgs || n.Messages < 1 {
		t.Errorf("the backup has %+v, the stream %d messages", n, info.State.Msgs)
	}
	away.pulled(1, "k1/3") // its cursor is in the backup
	// Office was not in the backup with a cursor: it starts at the beginning.
	office.pulled(3, "k1/1", "k1/2", "k1/3")
	if _, err := h.cursors.PutString(t.Context(), "office", cursor); err != nil {
		t.Fatal(err)
	}
	_, _, err = office.Feed(t.Context(), "office", 10, 0)
	if p, ok := errors.AsType[*hubapi.Problem](err); !ok || p.Type != hubapi.KindRolledBack {
		t.Errorf("a cursor from after the backup: %v", err)
	}
	// The kiosk learns what the hub lacks. The hub stores each event that is sent again once.
	_, err = k1.SendEvents(t.Context(), k1.events(1))
	if p, ok := errors.AsType[*hubapi.Problem](err); !ok || p.Type != hubapi.KindGap || len(p.Has) != 1 || p.Has[0].Last < 3 {
		t.Errorf("the kiosk gets %v", err)
	}
	k1.send(first, 3)
	_ = b
}

// What the folder knows about certificates wins over an older JetStream: a kiosk that was added
// after the backup is accepted, and one that was removed is refused.
func TestRestoredJetStreamInNewerFolder(t *testing.T) {
	dir := newFolder(t)
	b, _, url, stop := folderHub(t, dir)
	gone := b.kiosk(url, "gone")
	gone.nonce()
	backup := filepath.Join(t.TempDir(), "backup")
	if _, err := MakeBackup(t.Context(), dir, backup); err != nil {
		t.Fatal(err)
	}
	added := b.kiosk(url, "added")
	if err := b.registry().remove(t.Context(), hubapi.Identity{Role: hubapi.RoleKiosk, Name: "gone"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		text, err := os.ReadFile(filepath.Join(dir, identitiesFile))
		if err == nil && !(strings.Contains(string(text), `"kiosk.added"`) && strings.Contains(string(text), `"removed"`)) {
			err = errors.New("the copy is not complete")
		}
		return err
	})
	stop()
	if _, err := Restore(t.Context(), backup, dir); err == nil || !strings.Contains(err.Error(), "it has a folder jetstream already") {
		t.Fatalf("over a JetStream: %v", err)
	}
	if err := os.RemoveAll(filepath.Join(dir, jetstreamDir)); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), backup, dir); err != nil {
		t.Fatal(err)
	}
	_, _, url, _ = folderHub(t, dir)
	added.to(url).nonce()
	if _, err := gone.to(url).Challenge(t.Context()); err == nil {
		t.Error("a kiosk that was removed is accepted again")
	}
}

func TestEntriesTogether(t *testing.T) {
	at := func(hour int) time.Time { return time.Date(2026, 11, 29, hour, 0, 0, 0, time.UTC) }
	cert := func(name string, issued int, ended ...int) certificateEntry {
		c := certificateEntry{Fingerprint: name, Issued: at(issued), NotAfter: at(23)}
		for _, hour := range ended {
			c.Ended = at(hour)
		}
		return c
	}
	for name, tt := range map[string]struct{ a, b, want entry }{
		"renewed since": {
			entry{Certificates: []certificateEntry{cert("1", 1)}},
			entry{Certificates: []certificateEntry{cert("2", 2), cert("1", 1, 2)}},
			entry{Certificates: []certificateEntry{cert("2", 2), cert("1", 1, 2)}},
		},
		"removed since": {
			entry{Certificates: []certificateEntry{cert("1", 1)}},
			entry{Certificates: []certificateEntry{cert("1", 1, 3)}, Removed: at(3)},
			entry{Certificates: []certificateEntry{cert("1", 1, 3)}, Removed: at(3)},
		},
		"removed, and added again since": {
			entry{Certificates: []certificateEntry{cert("1", 1, 3)}, Removed: at(3)},
			entry{Certificates: []certificateEntry{cert("2", 4), cert("1", 1, 3)}},
			entry{Certificates: []certificateEntry{cert("2", 4), cert("1", 1, 3)}},
		},
	} {
		if got := tt.a.with(tt.b); !got.equal(tt.want) {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
		if got := tt.b.with(tt.a); !got.equal(tt.want) {
			t.Errorf("%s, the other way: %+v, want %+v", name, got, tt.want)
		}
	}
}

// A backup that is damaged, incomplete or hostile is not restored, and leaves nothing behind.
func TestDamagedBackup(t *testing.T) {
	dir := newFolder(t)
	b, _, _, stop := folderHub(t, dir)
	b.registry()
	backup := filepath.Join(t.TempDir(), "backup")
	if _, err := MakeBackup(t.Context(), dir, backup); err != nil {
		t.Fatal(err)
	}
	stop()
	if _, err := MakeBackup(t.Context(), dir, backup); err == nil || !strings.HasSuffix(err.Error(), "it exists") {
		t.Errorf("over a backup: %v", err)
	}
	if _, err := MakeBackup(t.Context(), dir, filepath.Join(dir, "backup")); err == nil || !strings.HasSuffix(err.Error(), "it is in the hub's folder") {
		t.Errorf("into the folder: %v", err)
	}
	for name, tt := range map[string]struct {
		file string
		old  string
		new  string
		want string
	}{
		"a snapshot":     {"streams/" + eventsStream + ".snapshot", "", "x", "is damaged: its SHA-256"},
		"a key":          {"folder/" + sealFile, "{", "[", "is damaged: its SHA-256"},
		"no manifest":    {manifestFile, "{", "", "cannot read manifest.json"},
		"newer":          {manifestFile, `"version": 1`, `"version": 2`, "the backup has version 2"},
		"outside":        {manifestFile, `"folder/ca.key"`, `"folder/../../x"`, "outside of"},
		"in the parent":  {manifestFile, `"folder/ca.key"`, `"folder/../x"`, "outside of"},
		"without stream": {manifestFile, `"streams": [`, `"other": [`, "holds no stream"},
	} {
		t.Run(name, func(t *testing.T) {
			bad := filepath.Join(t.TempDir(), "bad")
			if err := os.CopyFS(bad, os.DirFS(backup)); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(bad, tt.file)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(strings.Replace(string(text), tt.old, tt.new, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			to := filepath.Join(t.TempDir(), "hub")
			if _, err := Restore(t.Context(), bad, to); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
			if _, err := os.Stat(to); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the folder: %v", err)
			}
		})
	}
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "thesis.doc"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), backup, full); err == nil || !strings.HasSuffix(err.Error(), "it is not empty: it has thesis.doc") {
		t.Errorf("into a folder with something else: %v", err)
	}
}
