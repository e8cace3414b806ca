package hub

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"smartkiosk/kiosk/protocol/hubapi"
)

// The backup of a hub with its own JetStream becomes a hub on a cluster, which is how a hub grows
// beyond one machine. The backup of that hub becomes a hub again after the cluster was lost.
func TestRestoreIntoCluster(t *testing.T) {
	dir := newFolder(t)
	b, h, url, stop := folderHub(t, dir)
	k1, office := b.kiosk(url, "k1"), b.consumer(url, "office")
	var first []string
	for i := range 3 {
		k1.send(k1.events(1), uint64(i+1))
		first = append(first, "k1/"+string(rune('1'+i)))
	}
	office.ack(office.pulled(2, first[:2]...))
	h.archiveUpTo(t, 1)
	small := filepath.Join(t.TempDir(), "small")
	if _, err := MakeBackup(t.Context(), dir, small); err != nil {
		t.Fatal(err)
	}
	stop()
	if err := os.RemoveAll(filepath.Join(dir, jetstreamDir)); err != nil {
		t.Fatal(err)
	}

	c := newClusterBedFor(t, dir)
	restore := func(from, to string) {
		t.Helper()
		if _, err := Restore(t.Context(), from, to); err != nil {
			t.Fatal(err)
		}
		// What is there is not overwritten.
		if _, err := Restore(t.Context(), from, to); err == nil || !strings.Contains(err.Error(), "cannot restore the stream KV_"+cursorsBucket+": stream name already in use") {
			t.Errorf("the second restore: %v", err)
		}
	}
	restore(small, dir)
	stop = c.hub()
	k1, office = k1.to(c.urls[0]), office.to(c.urls[0])
	office.pulled(10, "k1/3") // its cursor is in the backup
	office.has(office.all(10), "-k1/1", "k1/2", "k1/3")
	k1.send(k1.events(1), 4)
	js := c.jetStream()
	names, err := backupOrder(t.Context(), js)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		s, err := js.Stream(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if n := s.CachedInfo().Config.Replicas; n != 3 {
			t.Errorf("%s has %d replicas", name, n)
		}
	}

	large := filepath.Join(t.TempDir(), "large")
	if _, err := MakeBackup(t.Context(), dir, large); err != nil { // while the hub serves
		t.Fatal(err)
	}
	k1.send(k1.events(1), 5) // after the backup
	_, beyond := office.pull(10, 0)
	stop()
	all := js.StreamNames(t.Context())
	for name := range all.Name() {
		if err := js.DeleteStream(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	c.dir = filepath.Join(t.TempDir(), "again")
	restore(large, c.dir)
	c.hub()
	office = office.to(c.urls[1])
	office.has(office.all(10), "-k1/1", "k1/2", "k1/3", "k1/4")
	err = office.AckFeed(t.Context(), "office", beyond)
	if p, ok := errors.AsType[*hubapi.Problem](err); !ok || p.Type != hubapi.KindRolledBack {
		t.Errorf("a cursor from after the backup: %v", err)
	}
}
