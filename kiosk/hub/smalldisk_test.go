package hub

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubapi"
)

// inMountNamespace runs the rest of a test in a process with a mount namespace of its own,
// where it may mount file systems. It returns true in that process. It needs root or
// unprivileged user namespaces.
func inMountNamespace(t *testing.T) bool {
	t.Helper()
	const inside = "HUB_TEST_MOUNTS"
	if os.Getenv(inside) == t.Name() {
		// What is mounted here must not appear outside.
		if err := unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, ""); err != nil {
			t.Fatal(err)
		}
		return true
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), inside+"="+t.Name())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("in a mount namespace: %v\n%s", err, out)
	}
	return false
}

// smallDisk mounts a disk of this size and returns its folder.
func smallDisk(t *testing.T, size string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill writes a file until the disk is full, or has only this much room.
func fill(t *testing.T, dir string, room uint64) (filler string) {
	t.Helper()
	filler = filepath.Join(dir, "filler")
	f, err := os.Create(filler)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for s, _ := measure(dir); s.free > room; s, _ = measure(dir) {
		if _, err := f.Write(make([]byte, 4096)); errors.Is(err, unix.ENOSPC) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	return filler
}

// record keeps what a hub logs.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(b)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// ownDisk is a hub with an embedded JetStream on a disk of its own.
func ownDisk(t *testing.T, dir string) (b *bed, h *Hub, log *record, url string) {
	t.Helper()
	b = &bed{t: t, dir: newFolder(t)}
	cfg, err := Load(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	cfg.JetStream, log = filepath.Join(dir, "jetstream"), &record{}
	if h, err = Open(t.Context(), cfg, slog.New(slog.NewTextHandler(log, nil))); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	b.conn = h.conn
	srv := httptest.NewUnstartedServer(h.Handler())
	srv.TLS = h.tls()
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return b, h, log, srv.URL
}

// eventually calls f until it returns nil. It gives up after minutes only.
func eventually(t *testing.T, f func() error) (took time.Duration) {
	t.Helper()
	began := time.Now()
	for {
		err := f()
		if err == nil {
			return time.Since(began)
		}
		if time.Since(began) > 2*time.Minute {
			t.Fatal(err)
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-t.Context().Done():
			t.Fatal(err)
		}
	}
}

// once returns a context with so early a deadline that the client does not wait for the
// hub's Retry-After. It is longer than storeTimeout.
func once(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), storeTimeout+diskRetry-time.Second)
	t.Cleanup(cancel)
	return ctx
}

// unavailable returns nil if err is a 503 with a Retry-After and this reason.
func unavailable(err error, reason string) error {
	if p, ok := errors.AsType[*hubapi.Problem](err); ok && p.Status == 503 && p.Wait > 0 && p.Type == hubapi.KindNotReady && strings.Contains(p.Detail, reason) {
		return nil
	}
	return errors.Join(errors.New("want 503 with the reason "+reason), err)
}

// health asks for the hub's health as an operator's program does.
func (p *party) health(url string) error {
	p.t.Helper()
	resp, body := p.get(url + "/healthz")
	if resp.StatusCode != http.StatusOK {
		return hubapi.ReadProblem(resp, []byte(body))
	}
	return nil
}

// alarmsOf returns the alarms of a kind in the feed.
func (p *party) alarmsOf(kind string) (alarms []event.Alarm) {
	p.t.Helper()
	events, _, err := p.Pull(p.t.Context(), p.id, hubapi.Pull{Max: 100, After: "0", Types: []string{event.TypeAlarm}})
	if err != nil {
		p.t.Fatal(err)
	}
	for _, text := range events {
		var e struct{ Data event.Alarm }
		if err := json.Unmarshal(text, &e); err != nil {
			p.t.Fatal(err)
		}
		if e.Data.Kind == kind {
			alarms = append(alarms, e.Data)
		}
	}
	return alarms
}

// While the disk is full the hub answers 503 with the reason. When there is room again it
// goes on, with the same process. No event is lost, and none comes twice.
func TestFullDisk(t *testing.T) {
	if !inMountNamespace(t) {
		return
	}
	disk := smallDisk(t, "48m")
	b, _, log, url := ownDisk(t, disk)
	k1, office, watch := b.kiosk(url, "k1"), b.consumer(url, "office"), b.operator(url, "watch")
	k1.send(k1.events(3), 3)
	if err := watch.health(url); err != nil {
		t.Fatal(err)
	}

	filler := fill(t, disk, 0)
	eventually(t, func() error { return unavailable(watch.health(url), "the hub's disk is full") })
	next := k1.events(20)
	if _, err := k1.SendEvents(once(t), next); unavailable(err, "the hub's disk is full") != nil {
		t.Errorf("an event: %v", err)
	}
	if _, err := k1.Challenge(once(t)); unavailable(err, "the hub's disk is full") != nil {
		t.Errorf("a challenge: %v", err)
	}
	if _, text := watch.scrape(url); !strings.Contains(text, "\nsmartkiosk_hub_store_refuses 1\n") || !strings.Contains(text, "\nsmartkiosk_hub_disk_warning_percent 100\n") {
		t.Errorf("the metrics are %s", text)
	}
	office.pulled(2, "k1/1", "k1/2") // reading goes on

	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	took := eventually(t, func() error {
		_, err := k1.SendEvents(t.Context(), next)
		return err
	})
	t.Logf("events are stored %s after there is room", took)
	eventually(t, func() error { return watch.health(url) })
	k1.nonce()
	eventually(t, func() error {
		for _, a := range office.alarmsOf(event.AlarmDisk) {
			if strings.Contains(a.Detail, "the hub wrote nothing from") {
				return nil
			}
		}
		return errors.New("no alarm about the pause: " + log.String())
	})
	events, _, err := office.Pull(t.Context(), "office", hubapi.Pull{Max: 100, After: "0", Kiosks: []string{"k1"}})
	if got := office.places(events); err != nil || strings.Join(got, " ") != strings.Join(places("k1", 1, 23), " ") {
		t.Errorf("the feed has %v, %v", got, err)
	}
}

// JetStream itself hits the end of the disk, and keeps the error. The hub starts it again as
// soon as there is room.
func TestJetStreamKeepsAWriteError(t *testing.T) {
	if !inMountNamespace(t) {
		return
	}
	disk := smallDisk(t, "48m")
	b, h, _, url := ownDisk(t, disk)
	k1 := b.kiosk(url, "k1")
	k1.send(k1.events(3), 3)
	// The keeper is blind until JetStream has failed.
	h.keeper.mu.Lock()
	filler := fill(t, disk, 0)
	for i := 0; h.embedded.writeError() == nil; i++ {
		_, _ = h.conn.Request(eventsSubject+"k2", bytes.Repeat([]byte("x"), 50<<10), 100*time.Millisecond)
		if i > 100 {
			t.Fatal("JetStream does not fail on a full disk")
		}
	}
	h.keeper.mu.Unlock()
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	next := k1.events(1)
	took := eventually(t, func() error {
		_, err := k1.SendEvents(t.Context(), next)
		return err
	})
	if n := h.keeper.restarted(); n != 1 {
		t.Errorf("the server was started again %d times, want once", n)
	}
	t.Logf("events are stored %s after there is room", took)
	k1.send(k1.events(1), 5)
	// The hub still follows JetStream: a removal takes effect.
	if err := b.registry().remove(t.Context(), hubapi.Identity{Role: hubapi.RoleKiosk, Name: "k1"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		if _, err := k1.SendEvents(t.Context(), k1.events(1)); err == nil {
			return errors.New("the removed kiosk is still accepted")
		}
		return nil
	})
}

// Events leave a reserve, in which people are still let in.
func TestReserve(t *testing.T) {
	if !inMountNamespace(t) {
		return
	}
	disk := smallDisk(t, "64m")
	b, h, _, url := ownDisk(t, disk)
	k1, office := b.kiosk(url, "k1"), b.consumer(url, "office")
	s, err := measure(disk)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, disk, s.reserve()*3/4)
	eventually(t, func() error {
		if h.keeper.reached() != diskFull {
			return errors.New("the disk is not full")
		}
		return nil
	})
	if _, err := k1.SendEvents(once(t), k1.events(1)); unavailable(err, "the hub's disk is full") != nil {
		t.Errorf("an event: %v", err)
	}
	nonce := k1.nonce()
	if v := k1.verdict(t.Context(), nonce, token(t, "valid", nonce)); !v.Granted {
		t.Errorf("got %+v", v)
	}
	eventually(t, func() error {
		if a := office.alarmsOf(event.AlarmDisk); len(a) == 0 || a[len(a)-1].Level != diskFull {
			return errors.New("there is no alarm about the full disk")
		}
		return nil
	})
}

// A disk that the kernel has made read-only after an error (ext4, errors=remount-ro).
func TestReadOnlyDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may mount a disk image")
	}
	if !inMountNamespace(t) {
		return
	}
	image := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	disk := t.TempDir()
	mount := func(command string, args ...string) {
		t.Helper()
		if out, err := exec.Command(command, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
	if err := os.Truncate(image, 48<<20); err != nil {
		t.Fatal(err)
	}
	mount("/usr/sbin/mkfs.ext4", "-q", image)
	mount("mount", "-o", "loop", image, disk)
	t.Cleanup(func() { mount("umount", "-l", disk) })
	b, _, _, url := ownDisk(t, disk)
	k1, office, watch := b.kiosk(url, "k1"), b.consumer(url, "office"), b.operator(url, "watch")
	k1.send(k1.events(3), 3)

	mount("mount", "-o", "remount,abort", disk)
	if err := os.WriteFile(filepath.Join(disk, "x"), nil, 0o600); !errors.Is(err, unix.EROFS) {
		t.Fatalf("the disk is not read-only: %v", err)
	}
	eventually(t, func() error { return unavailable(watch.health(url), "the hub's disk is read-only") })
	if _, err := k1.SendEvents(once(t), k1.events(1)); unavailable(err, "the hub's disk is read-only") != nil {
		t.Errorf("an event: %v", err)
	}
	office.pulled(10, "k1/1", "k1/2", "k1/3") // reading goes on
}

func TestDiskLevels(t *testing.T) {
	used := func(percent uint64) space { return space{size: 100 << 30, free: (100 - percent) << 30} }
	level := 0
	for _, tt := range []struct {
		disk space
		want int
	}{
		{used(10), 0}, {used(59), 0}, {used(60), 60}, {used(59), 60}, {used(58), 60}, {used(57), 0},
		{used(80), 80}, {used(78), 80}, {used(77), 60}, {used(99), 80},
		{space{size: 100 << 30, free: maxReserve - 1}, diskFull}, {space{size: 100 << 30, free: maxReserve}, 80}, {used(0), 0},
	} {
		if level = tt.disk.level(level); level != tt.want {
			t.Errorf("%d %%: level %d, want %d", tt.disk.percent(), level, tt.want)
		}
	}
}

// An alarm is raised once for each level, after the disk has had it for a while. The hub's next
// start does not raise it again.
func TestDiskAlarms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKeeper(nil, slog.New(slog.DiscardHandler))
		var raised []int
		k.rose = func(level int, _ space) { raised = append(raised, level) }
		for _, step := range []struct {
			used uint64
			wait time.Duration
			want []int
		}{
			{61, 0, nil}, {10, time.Minute, nil}, {61, 0, nil}, {61, 59 * time.Second, nil}, {61, time.Second, []int{60}},
			{70, time.Hour, []int{60}}, {81, 0, []int{60}}, {81, time.Minute, []int{60, 80}}, {10, 0, []int{60, 80}},
			{100, 0, []int{60, 80, 100}},
		} {
			time.Sleep(step.wait)
			k.note(space{size: 100 << 30, free: (100 - step.used) << 30})
			if !slices.Equal(raised, step.want) {
				t.Errorf("at %d %%: alarms %v, want %v", step.used, raised, step.want)
			}
		}
	})
	b := newBed(t)
	h := b.open()
	h.alarmAboutDisk(80, space{size: 100, free: 19})
	eventually(t, func() error {
		level, err := h.alarmedLevel(t.Context())
		if err == nil && level != 80 {
			err = fmt.Errorf("the level is %d", level)
		}
		return err
	})
}

func TestDiskFaults(t *testing.T) {
	for want, err := range map[string]error{
		"the hub's disk is full":      &fs.PathError{Err: unix.ENOSPC},
		"the hub's disk is read-only": &fs.PathError{Err: unix.EROFS},
		"the hub's disk is too slow":  slowDisk{3 * time.Second},
		"the hub's disk fails":        &fs.PathError{Err: unix.EIO},
	} {
		if got := diskFault(err); got != want {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
}
