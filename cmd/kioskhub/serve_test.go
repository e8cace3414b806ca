package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/hub"
	"smartkiosk/kiosk/protocol/event"
	"smartkiosk/kiosk/protocol/hubapi"
)

// folder makes a hub's folder whose hub.toml names a free port.
func folder(t *testing.T) (dir string) {
	t.Helper()
	pki, err := testpki.New(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	trust := filepath.Join(t.TempDir(), "pki")
	if err := pki.Write(trust); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	dir = filepath.Join(t.TempDir(), "hub")
	if err := hub.Init(dir, hub.InitOptions{Listen: addr, URL: "https://" + addr, Trust: trust}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// process is kioskhub in a separate process.
type process struct {
	cmd    *exec.Cmd
	stdout *bufio.Reader
	stderr *bufio.Scanner
}

func start(t *testing.T, args ...string) *process {
	t.Helper()
	// testscript.Main has put the program's name on the path.
	p := &process{cmd: exec.Command("kioskhub", args...)}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stdout, p.stderr = bufio.NewReader(stdout), bufio.NewScanner(stderr)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	return p
}

// says waits for a line of stderr that matches the pattern.
func (p *process) says(t *testing.T, pattern string) {
	t.Helper()
	want := regexp.MustCompile(pattern)
	var said []string
	for p.stderr.Scan() {
		if said = append(said, p.stderr.Text()); want.MatchString(p.stderr.Text()) {
			return
		}
	}
	t.Fatalf("it did not say %q but:\n%s", pattern, strings.Join(said, "\n"))
}

// kill ends the process without a chance to clean up, as a power cut does.
func (p *process) kill() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

// kioskOf is a kiosk whose bundle is in the hub's folder.
type kioskOf struct {
	*hubapi.Client
	seal     *event.Sealer
	sequence uint64
	link     []byte
}

func newKiosk(t *testing.T, dir, id string) *kioskOf {
	t.Helper()
	bundle, err := hub.AddKiosk(dir, id)
	if err != nil {
		t.Fatal(err)
	}
	c, err := hubapi.LoadCredentials(
		filepath.Join(bundle, "hub-ca.pem"), filepath.Join(bundle, "kiosk.pem"), filepath.Join(bundle, "kiosk.key"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(bundle, "hub-seal.jwk"))
	if err != nil {
		t.Fatal(err)
	}
	var key jose.JSONWebKey
	if err := json.Unmarshal(text, &key); err != nil {
		t.Fatal(err)
	}
	seal, err := event.NewSealer(id, c.Key, &key)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := hub.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return &kioskOf{Client: hubapi.NewClient(cfg.URL, c.TLS), seal: seal}
}

func (k *kioskOf) next(t *testing.T) json.RawMessage {
	t.Helper()
	id, err := event.NewID(time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sealed, link, err := k.seal.Seal(event.Header{
		ID: id, Sequence: k.sequence + 1, Type: event.TypeVisit, Time: time.Now(), BootID: "b0", Prev: k.link,
	}, event.Visit{Visit: id, Outcome: kiosk.Cancelled})
	if err != nil {
		t.Fatal(err)
	}
	k.sequence, k.link = k.sequence+1, link
	return sealed
}

// After kill -9 the hub still has the events that it acknowledged and the cursors that
// consumers acknowledged. A challenge from before is still valid.
func TestServeSurvivesKill(t *testing.T) {
	dir := folder(t)
	k := newKiosk(t, dir, "k1")
	if _, err := hub.AddConsumer(dir, "office"); err != nil {
		t.Fatal(err)
	}
	const rounds, perRound = 4, 5
	var nonce string
	var pending json.RawMessage // sent, but perhaps not stored
	for round := range rounds {
		began := time.Now()
		p := start(t, "serve", "--dir", dir)
		p.says(t, `msg="hub ready" address=127\.0\.0\.1:\d+ url=https://127`)
		t.Logf("ready after %v", time.Since(began).Round(time.Millisecond))
		if nonce != "" {
			v, err := k.Authenticate(t.Context(), "v", nonce, []byte(`{}`))
			if err != nil || v.Reason != kiosk.Parse {
				t.Errorf("a nonce from before: got %+v, %v; want it known and the token refused", v, err)
			}
		}
		c, err := k.Challenge(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		nonce = c.Nonce
		// The kiosk keeps sending while the hub is killed.
		for sent := 0; ; sent++ {
			if pending == nil {
				pending = k.next(t)
			}
			got, err := k.SendEvents(t.Context(), []json.RawMessage{pending})
			if err != nil && sent >= perRound {
				break
			}
			if err != nil || got.Acknowledged != k.sequence {
				t.Fatalf("acknowledged %d, %v; want %d", got.Acknowledged, err, k.sequence)
			}
			pending = nil
			if sent == 0 && round == 1 {
				ack(t, dir, 3)
			}
			if sent == perRound {
				go p.cmd.Process.Kill()
			}
		}
		p.kill()
	}

	start(t, "serve", "--dir", dir).says(t, "hub ready")
	if got, err := k.SendEvents(t.Context(), []json.RawMessage{pending}); err != nil || got.Acknowledged != k.sequence {
		t.Fatalf("acknowledged %d, %v; want %d", got.Acknowledged, err, k.sequence)
	}
	tail := start(t, "feed", "tail", "--dir", dir, "office")
	for want := uint64(4); want <= k.sequence; want++ {
		line, err := tail.stdout.ReadBytes('\n')
		if err != nil {
			t.Fatal(err)
		}
		var e struct {
			Source, Sequence string
			Data             event.Visit
		}
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if e.Source != "urn:smartkiosk:kiosk:k1" || e.Sequence != fmt.Sprintf("%020d", want) || e.Data.Outcome != kiosk.Cancelled {
			t.Fatalf("got %s, want sequence %d", line, want)
		}
	}

	// A replay prints all events of a kiosk again.
	replay := start(t, "feed", "tail", "--dir", dir, "--since", "2020-01-01T00:00:00Z", "--kiosk", "other", "--kiosk", "k1", "--type", event.TypeVisit, "office")
	for want := uint64(1); want <= k.sequence; want++ {
		line, err := replay.stdout.ReadString('\n')
		if err != nil || !strings.Contains(line, fmt.Sprintf(`"sequence":"%020d"`, want)) {
			t.Fatalf("got %s, %v, want sequence %d", line, err, want)
		}
	}
}

// ack has the consumer pull and acknowledge its first events.
func ack(t *testing.T, dir string, events int) {
	t.Helper()
	url, c, err := hub.Consumer(dir, "office")
	if err != nil {
		t.Fatal(err)
	}
	client := hubapi.NewClient(url, c.TLS)
	got, cursor, err := client.Feed(t.Context(), "office", events, 0)
	if err != nil || len(got) != events {
		t.Fatalf("got %d events, %v", len(got), err)
	}
	if err := client.AckFeed(t.Context(), "office", cursor); err != nil {
		t.Fatal(err)
	}
}

// A hub that gets SIGTERM answers the requests under way and exits with status 0.
func TestServeStops(t *testing.T) {
	dir := folder(t)
	if _, err := hub.AddConsumer(dir, "office"); err != nil {
		t.Fatal(err)
	}
	p := start(t, "serve", "--dir", dir)
	p.says(t, "hub ready")
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.says(t, "hub stopped")
	if err := p.cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// Two hubs in one folder would damage it, even on different ports.
func TestServeTwiceFromOneFolder(t *testing.T) {
	dir := folder(t)
	start(t, "serve", "--dir", dir).says(t, "hub ready")
	second := start(t, "serve", "--dir", dir)
	second.says(t, `kioskhub: cannot serve: listen tcp .*: address already in use`)
	settings := filepath.Join(dir, "hub.toml")
	text, err := os.ReadFile(settings)
	if err != nil {
		t.Fatal(err)
	}
	text = regexp.MustCompile(`(?m)^listen = .*$`).ReplaceAll(text, []byte(`listen = "127.0.0.1:0"`))
	if err := os.WriteFile(settings, text, 0o644); err != nil {
		t.Fatal(err)
	}
	third := start(t, "serve", "--dir", dir)
	third.says(t, `kioskhub: cannot open JetStream in .*: another hub uses the folder`)
}

// The tail command ends without an error when its context ends, as after Ctrl-C.
func TestTailEnds(t *testing.T) {
	dir := folder(t)
	if _, err := hub.AddConsumer(dir, "office"); err != nil {
		t.Fatal(err)
	}
	k := newKiosk(t, dir, "k1")
	start(t, "serve", "--dir", dir).says(t, "hub ready")
	if _, err := k.SendEvents(t.Context(), []json.RawMessage{k.next(t)}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	ended := make(chan error)
	go func() { ended <- run(ctx, in, "feed", "tail", "office", "--dir", dir) }()
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
