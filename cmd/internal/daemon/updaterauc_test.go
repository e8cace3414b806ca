package daemon

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"smartkiosk/device/rauc/rauctest"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubpolicy"
	"smartkiosk/kiosk/update"
)

// updated is a machine with a real RAUC whose agent gets bundles from a map.
type updated struct {
	*rauctest.Bench
	t       *testing.T
	bundles map[string][]byte // by digest
	events  chan event.Update
	restart chan struct{}
	broken  error // of the kiosk in the new system
}

func (u *updated) UpdateBundle(_ context.Context, digest string, from, to int64) (io.ReadCloser, error) {
	b := u.bundles[digest]
	return io.NopCloser(bytes.NewReader(b[from:min(to+1, int64(len(b)))])), nil
}

// offer makes a bundle with RAUC, and returns what the hub offers.
func (u *updated) offer(name, compatible, version, signer string, image []byte) *hubpolicy.Update {
	u.t.Helper()
	text, err := os.ReadFile(u.Bundle(name, compatible, version, signer+"cert.pem", signer+"key.pem", image))
	if err != nil {
		u.t.Fatal(err)
	}
	sum := sha256.Sum256(text)
	digest := hex.EncodeToString(sum[:])
	u.bundles[digest] = text
	return &hubpolicy.Update{Version: version, Compatible: compatible, Digest: digest, Size: int64(len(text))}
}

// life runs the agent from a start of the machine until it restarts it, or until there is an
// event that ends the update.
func (u *updated) life(bootName, bootID string, offer *hubpolicy.Update) (last event.Update) {
	u.t.Helper()
	defer u.Boot(bootName)()
	ctx, stop := context.WithTimeout(u.t.Context(), 2*time.Minute)
	defer stop()
	a := &update.Agent{
		Dir: filepath.Join(u.Dir, "update"), Memory: update.File(filepath.Join(u.Dir, "update.json")), Hub: u, Installer: u.Client, Version: "1.4.0", BootID: bootID,
		Uptime:  func() time.Duration { return time.Hour }, // the trial ends at once
		Idle:    func() (context.Context, bool) { return context.Background(), true },
		Healthy: func(context.Context) error { return u.broken }, Position: func() uint64 { return 1 },
		Room: func() (int64, error) { return 1 << 20, nil },
		Tell: func(e event.Update) error { u.events <- e; return nil },
		Restart: func(context.Context) error {
			u.restart <- struct{}{}
			return nil
		},
		Show: func(string) {}, Now: time.Now, Log: slog.New(slog.DiscardHandler),
	}
	a.Offer(offer)
	done := make(chan struct{})
	go func() { a.Run(ctx); close(done) }()
	defer func() { stop(); <-done }()
	for {
		select {
		case last = <-u.events:
			if last.State != event.UpdateInstalled {
				return last
			}
		case <-u.restart:
			return last
		case <-done:
			u.t.Fatalf("the agent does not come to an end: %+v", a.Status())
		}
	}
}

// TestUpdateWithRAUC has the agent work with a real RAUC: a good update, bundles that are wrong,
// and a system that does not work.
func TestUpdateWithRAUC(t *testing.T) {
	u := &updated{
		Bench: rauctest.New(t), t: t, bundles: map[string][]byte{},
		events: make(chan event.Update, 10), restart: make(chan struct{}, 10),
	}
	image := func() []byte { b := make([]byte, 30_000); _, _ = rand.Read(b); return b }
	u.NewKey("other-cert.pem", "other-key.pem")
	untouched := func(what string) {
		t.Helper()
		if p, b := u.Read("primary"), strings.Trim(u.Read("rootfs.1"), "\x00"); p != "A\n" || b != "" {
			t.Errorf("%s: the primary is %q, and the other slot has %d bytes", what, p, len(b))
		}
	}
	for _, c := range []struct {
		what   string
		offer  *hubpolicy.Update
		change func(offer *hubpolicy.Update)
		reason event.UpdateReason
	}{
		{"signed by somebody else", u.offer("foreign.raucb", "smartkiosk-arm64", "1.5.0", "other-", image()), nil, event.UpdateSignature},
		{"older inside", u.offer("older.raucb", "smartkiosk-arm64", "1.3.0", "", image()), func(o *hubpolicy.Update) { o.Version = "1.5.0" }, event.UpdateOlder},
		{"for a fridge inside", u.offer("fridge.raucb", "fridge", "1.5.0", "", image()), func(o *hubpolicy.Update) { o.Compatible = "smartkiosk-arm64" }, event.UpdateBoard},
		{"altered", u.offer("altered.raucb", "smartkiosk-arm64", "1.5.0", "", image()), func(o *hubpolicy.Update) { u.bundles[o.Digest][5000] ^= 1 }, event.UpdateAltered},
	} {
		if c.change != nil {
			c.change(c.offer)
		}
		if got := u.life("A", "boot 1", c.offer); got.State != event.UpdateRefused || got.Reason != c.reason || got.Problem == "" {
			t.Errorf("%s: %+v", c.what, got)
		}
		untouched(c.what)
	}
	// What a hub that was taken over could do: offer an altered bundle under its new digest.
	altered := u.offer("resigned.raucb", "smartkiosk-arm64", "1.5.0", "", image())
	text := u.bundles[altered.Digest]
	text[5000] ^= 1
	sum := sha256.Sum256(text)
	altered.Digest = hex.EncodeToString(sum[:])
	u.bundles[altered.Digest] = text
	if got := u.life("A", "boot 1", altered); got.State != event.UpdateRefused || got.Reason != event.UpdateSignature {
		t.Errorf("altered, with its own digest: %+v", got)
	}
	untouched("altered, with its own digest")

	// A good system.
	system := image()
	good := u.offer("good.raucb", "smartkiosk-arm64", "1.5.0", "", system)
	if got := u.life("A", "boot 1", good); got.State != event.UpdateInstalled || u.Read("primary") != "B\n" || !strings.HasPrefix(u.Read("rootfs.1"), string(system)) {
		t.Fatalf("a good bundle: %+v, primary %q", got, u.Read("primary"))
	}
	if u.Read("state.B") == "good\n" {
		t.Error("the new system was good before it ran")
	}
	if got := u.life("B", "boot 2", good); got.State != event.UpdateGood || got.From != "1.4.0" || u.Read("state.B") != "good\n" {
		t.Fatalf("the new system: %+v, state %q", got, u.Read("state.B"))
	}

	// The next one does not work: the kiosk goes back to 1.5.0 in rootfs.1.
	bad := u.offer("bad.raucb", "smartkiosk-arm64", "1.6.0", "", image())
	if got := u.life("B", "boot 3", bad); got.State != event.UpdateInstalled || got.From != "1.5.0" || u.Read("primary") != "A\n" {
		t.Fatalf("the next bundle: %+v, primary %q", got, u.Read("primary"))
	}
	u.broken = errors.New("no card reader")
	u.life("A", "boot 4", bad)
	if p, s := u.Read("primary"), u.Read("state.A"); p != "B\n" || s != "bad\n" {
		t.Fatalf("a system that does not work: primary %q, its state %q", p, s)
	}
	if got := u.life("B", "boot 5", bad); fmt.Sprint(got.State, got.Reason, got.Problem) != fmt.Sprint(event.UpdateFellBack, event.UpdateUnhealthy, "no card reader") {
		t.Errorf("after going back: %+v", got)
	}
	if files, err := os.ReadDir(filepath.Join(u.Dir, "update")); err != nil || len(files) > 0 {
		t.Errorf("%d files are left, %v", len(files), err)
	}
}
