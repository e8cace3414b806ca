package hub

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubapi"
	"smartkiosk/kiosk/protocol/hubpolicy"
)

// Rings open one after the other, by the operator or by time, and a kiosk that an update has
// reached is reached by all later rings too.
func TestRings(t *testing.T) {
	begun := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	r := Rollout{Digest: "d", Rings: []string{"k1", "office", "10%", "100%"}, Opened: begun}
	reached := func(at time.Time) (n int) {
		for i := range 1000 {
			if r.reaches(fmt.Sprint("other-", i), nil, at) {
				n++
			}
		}
		return n
	}
	for open, want := range []struct {
		k1, office bool
		least      int
		most       int
	}{{false, false, 0, 0}, {true, false, 0, 0}, {true, true, 0, 0}, {true, true, 60, 140}, {true, true, 1000, 1000}} {
		r.Open = open
		if got := r.reaches("k1", nil, begun); got != want.k1 {
			t.Errorf("%d rings open: k1 is reached: %v", open, got)
		}
		if got := r.reaches("k2", []string{"office", "other"}, begun); got != want.office {
			t.Errorf("%d rings open: a kiosk of office is reached: %v", open, got)
		}
		if n := reached(begun); n < want.least || n > want.most {
			t.Errorf("%d rings open: %d of 1000 other kiosks are reached", open, n)
		}
	}
	r.Open, r.Every = 1, hubpolicy.Duration(24*time.Hour)
	for days, want := range []int{1, 2, 3, 4, 4} {
		if got := r.openRings(begun.AddDate(0, 0, days)); got != want {
			t.Errorf("after %d days %d rings are open, want %d", days, got, want)
		}
	}
	if r.openRings(begun.Add(-time.Hour)) != 1 {
		t.Error("a clock that was set back closes rings")
	}
	r.Stopped = "too many failures"
	if r.openRings(begun.AddDate(1, 0, 0)) != 0 {
		t.Error("a stopped roll-out goes on")
	}
}

func TestExcess(t *testing.T) {
	at := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	report := func(kiosk string, s event.UpdateState) UpdateReport {
		at = at.Add(time.Minute)
		return UpdateReport{Kiosk: kiosk, Time: at, State: s, Reason: event.UpdateBoot}
	}
	reports := []UpdateReport{report("k1", event.UpdateGood), report("k2", event.UpdateInstalled), report("k3", event.UpdateRefused), report("k4", event.UpdateFellBack)}
	for limit, want := range []string{"update 2 failed at 2 kiosks, at k4 last (boot)", "update 2 failed at 2 kiosks, at k4 last (boot)", "", ""} {
		if got := (Rollout{Version: "2", MaxFailures: limit}).excess(reports); got != want {
			t.Errorf("limit %d: %q, want %q", limit, got, want)
		}
	}
	if got := (Rollout{MaxFailures: 1, Forgiven: 1}).excess(reports); got != "" {
		t.Errorf("failures that the operator has forgiven count: %s", got)
	}
}

// addRollout adds an update with a small bundle, which is offered to the first rings.
func (b *bed) addRollout(version string, open, maxFailures int, rings ...string) (r Rollout, bundle []byte) {
	b.t.Helper()
	bundle = bytes.Repeat([]byte(version+" "), 5000)
	sum := sha256.Sum256(bundle)
	r = Rollout{
		Version: version, Compatible: "smartkiosk-arm64", Digest: hex.EncodeToString(sum[:]), Size: int64(len(bundle)),
		Rings: rings, Open: open, Opened: b.now(), MaxFailures: maxFailures,
		When: hubpolicy.Calendar{Zone: "Europe/Oslo", Hours: []hubpolicy.Span{{From: 22 * 60, To: 5 * 60}}},
	}
	text, err := json.Marshal(r)
	if err != nil {
		b.t.Fatal(err)
	}
	u, err := openRollouts(b.t.Context(), b.jetStream())
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.MkdirAll(strings.TrimSuffix(updateFile(b.dir, ""), "/.raucb"), 0o700); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(updateFile(b.dir, r.Digest), bundle, 0o600); err != nil {
		b.t.Fatal(err)
	}
	if _, err := u.kv.Put(b.t.Context(), r.Digest, text); err != nil {
		b.t.Fatal(err)
	}
	return r, bundle
}

// The policy offers the newest update whose rings a kiosk is in, and the kiosk gets the bundle
// in pieces.
func TestOffer(t *testing.T) {
	b := newBed(t)
	r, bundle := b.addRollout("1.5.0", 1, 0, "k1", "100%")
	b.addRollout("1.4.9", 1, 0, "100%")
	url := b.serve()
	k1, k2 := b.kiosk(url, "k1"), b.kiosk(url, "k2")
	if u := b.policy(k1).Update; u == nil || u.Version != "1.5.0" || u.Digest != r.Digest || u.Size != r.Size || u.Compatible != r.Compatible || !u.When.InHours(time.Date(2026, 11, 29, 23, 0, 0, 0, time.UTC)) || u.When.InHours(time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)) {
		t.Errorf("k1 is offered %+v", u)
	}
	if u := b.policy(k2).Update; u == nil || u.Version != "1.4.9" {
		t.Errorf("k2 is offered %+v", u)
	}
	var got []byte
	for from := int64(0); from < r.Size; from += 4096 {
		body, err := k1.UpdateBundle(t.Context(), r.Digest, from, from+4095)
		if err != nil {
			t.Fatal(err)
		}
		piece, err := io.ReadAll(body)
		if err != nil || len(piece) != int(min(4096, r.Size-from)) {
			t.Fatalf("%d bytes from %d, %v", len(piece), from, err)
		}
		got = append(got, piece...)
	}
	if !bytes.Equal(got, bundle) {
		t.Error("the pieces are not the bundle")
	}
	if _, err := k1.UpdateBundle(t.Context(), strings.Repeat("0", 64), 0, 10); !isNotFound(err) {
		t.Errorf("an unknown digest gives %v", err)
	}
	if err := os.Remove(updateFile(b.dir, r.Digest)); err != nil {
		t.Fatal(err)
	}
	if _, err := k1.UpdateBundle(t.Context(), r.Digest, 0, 10); !isNotFound(err) {
		t.Errorf("a hub without the bundle answers %v", err)
	}
}

func isNotFound(err error) bool {
	p, ok := errors.AsType[*hubapi.Problem](err)
	return ok && p.Type == hubapi.KindNotFound
}

// After more failures than the limit allows, no further kiosk is offered the update, and the
// hub raises one alarm. A kiosk that reports twice counts once.
func TestRolloutStops(t *testing.T) {
	b := newBed(t)
	r, _ := b.addRollout("1.5.0", 1, 1, "100%")
	url := b.serve()
	k1, k2, k3, office := b.kiosk(url, "k1"), b.kiosk(url, "k2"), b.kiosk(url, "k3"), b.consumer(url, "office")
	tell := func(k *party, s event.UpdateState, why event.UpdateReason) {
		t.Helper()
		k.send([]json.RawMessage{k.seals(event.TypeUpdate, event.Update{Version: r.Version, Bundle: r.Digest, State: s, Reason: why})}, k.sequence)
	}
	reported := func(n int) {
		t.Helper()
		eventually(t, func() error {
			u, err := openRollouts(t.Context(), b.jetStream())
			if err != nil {
				return err
			}
			reports, err := u.reports(t.Context(), r.Digest)
			if err == nil && len(reports) < n {
				err = fmt.Errorf("there are %d reports, not %d", len(reports), n)
			}
			return err
		})
	}
	tell(k1, event.UpdateInstalled, "")
	tell(k1, event.UpdateFellBack, event.UpdateUnhealthy)
	tell(k1, event.UpdateFellBack, event.UpdateUnhealthy)
	tell(k3, event.UpdateGood, "")
	reported(2)
	if b.policy(k3).Update == nil {
		t.Error("one failure has stopped a roll-out that allows one")
	}
	tell(k2, event.UpdateRefused, event.UpdateSignature)
	reported(3)
	eventually(t, func() error {
		if b.policy(k3).Update != nil {
			return errors.New("a stopped update is still offered")
		}
		return nil
	})
	alarms := office.alarmsOf(event.AlarmUpdate)
	if len(alarms) != 1 || alarms[0].Kiosk != "" || alarms[0].Detail != "update 1.5.0 failed at 2 kiosks, at k2 last (signature)" {
		t.Errorf("the alarms are %+v", alarms)
	}
}

// One kiosk may load two pieces at a time, and so many bytes a day. Others go on.
func TestDownloadLimits(t *testing.T) {
	l := newLimiter()
	greedy, other := hubapi.Identity{Role: hubapi.RoleKiosk, Name: "greedy"}, hubapi.Identity{Role: hubapi.RoleKiosk, Name: "other"}
	end, why := l.beginDownload(greedy)
	if why != "" {
		t.Fatal(why)
	}
	second, _ := l.beginDownload(greedy)
	if _, why := l.beginDownload(greedy); why != tooManyDownloads {
		t.Errorf("a third download at a time: %q", why)
	}
	end(maxServedADay)
	second(0)
	if _, why := l.beginDownload(greedy); why != tooMuchServed {
		t.Errorf("a download after %d bytes: %q", int64(maxServedADay), why)
	}
	if end, why := l.beginDownload(other); why != "" {
		t.Errorf("another kiosk: %q", why)
	} else {
		end(1)
	}
}
