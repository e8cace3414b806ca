package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience limits every wait for another process. It is long because the machine may be
// under load.
const patience = 60 * time.Second

// programs builds all programs of cmd into a folder, once, when a test first needs one.
var programs build

type build struct {
	once sync.Once
	dir  string
	err  error
}

func (b *build) do() {
	if b.dir, b.err = os.MkdirTemp("", "smartkiosk-programs-*"); b.err != nil {
		return
	}
	build := exec.Command("go", "build", "-o", b.dir+"/", "./cmd/...")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		b.err = fmt.Errorf("go build: %w\n%s", err, out)
	}
}

// program returns the path of one of our programs.
func program(t testing.TB, name string) string {
	t.Helper()
	programs.once.Do(programs.do)
	if programs.err != nil {
		t.Fatal(programs.err)
	}
	return filepath.Join(programs.dir, name)
}

// must runs one of our programs, which must succeed, and returns its output.
func must(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(program(t, name), args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// fails runs one of our programs, which must fail, and returns its output.
func fails(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(program(t, name), args...).CombinedOutput()
	if err == nil {
		t.Fatalf("%s %v does not fail:\n%s", name, args, out)
	}
	return string(out)
}

// process is a running program of ours.
type process struct {
	t    testing.TB
	name string
	cmd  *exec.Cmd

	mu      sync.Mutex
	said    bytes.Buffer
	changed chan struct{} // closed at the next output
	done    chan struct{}
}

func spawn(t testing.TB, name string, args ...string) *process {
	t.Helper()
	p := &process{t: t, name: name, cmd: exec.Command(program(t, name), args...), changed: make(chan struct{}), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p, p
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = p.cmd.Wait(); close(p.done) }()
	t.Cleanup(func() {
		p.signal(syscall.SIGKILL)
		if t.Failed() {
			t.Logf("%s %v said:\n%s", name, args, p.output())
		}
	})
	return p
}

// Write records what the process prints.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.changed)
	p.changed = make(chan struct{})
	return p.said.Write(b)
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.String()
}

// await waits until the process has printed text.
func (p *process) await(text string) {
	p.t.Helper()
	limit := time.After(patience)
	for {
		p.mu.Lock()
		said, changed := strings.Contains(p.said.String(), text), p.changed
		p.mu.Unlock()
		if said {
			return
		}
		select {
		case <-changed:
		case <-p.done:
			p.t.Fatalf("%s ended without printing %q:\n%s", p.name, text, p.output())
		case <-limit:
			p.t.Fatalf("%s does not print %q:\n%s", p.name, text, p.output())
		}
	}
}

// signal sends a signal and waits for the end.
func (p *process) signal(s syscall.Signal) {
	_ = p.cmd.Process.Signal(s)
	<-p.done
}

// stop ends the process as systemd does, and checks its exit status.
func (p *process) stop() {
	p.t.Helper()
	p.signal(syscall.SIGTERM)
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		p.t.Errorf("%s exits with %d after SIGTERM:\n%s", p.name, code, p.output())
	}
}

// person uses the web panel of kioskd.
type person struct {
	t   testing.TB
	url string

	mu       sync.Mutex
	frame    frame
	outcomes []string // granted and denied, as shown
	changed  chan struct{}
}

type frame struct {
	Name    string `json:"name"`
	Heading string `json:"heading"`
	Text    string `json:"text"`
	Entry   int    `json:"entry"`
	Corner  string `json:"corner"`
}

func newPerson(t testing.TB, address string) *person {
	return &person{t: t, url: "http://" + address, changed: make(chan struct{})}
}

// look reads the panel's frames until the kiosk or the test ends.
func (p *person) look(ctx context.Context) {
	p.t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/panel/events", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	go func() {
		defer response.Body.Close()
		event := ""
		for lines := bufio.NewScanner(response.Body); lines.Scan(); {
			if name, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				event = name
			}
			data, ok := strings.CutPrefix(lines.Text(), "data: ")
			if !ok || event != "frame" {
				continue
			}
			var f frame
			if err := json.Unmarshal([]byte(data), &f); err != nil {
				p.t.Errorf("cannot read frame: %v", err)
				return
			}
			p.show(f)
		}
	}()
}

func (p *person) show(f frame) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if (f.Name == "granted" || f.Name == "denied") && f.Name != p.frame.Name {
		p.outcomes = append(p.outcomes, f.Name)
	}
	p.frame = f
	close(p.changed)
	p.changed = make(chan struct{})
}

// sees waits for a screen.
func (p *person) sees(screen string) frame {
	p.t.Helper()
	return p.awaits("screen "+screen, func(f frame) bool { return f.Name == screen })
}

func (p *person) awaits(what string, wanted func(frame) bool) frame {
	p.t.Helper()
	limit := time.After(patience)
	for {
		p.mu.Lock()
		f, changed := p.frame, p.changed
		p.mu.Unlock()
		if wanted(f) {
			return f
		}
		select {
		case <-changed:
		case <-limit:
			p.t.Fatalf("no %s: the panel shows %+v", what, f)
		}
	}
}

// types presses keys on the PIN screen and waits until each digit is shown.
func (p *person) types(keys string) {
	p.t.Helper()
	p.sees("pin")
	for i, key := range keys {
		p.presses(string(key))
		if key != '#' {
			p.awaits("digit", func(f frame) bool { return f.Entry == i+1 })
		}
	}
	p.awaits("reaction to #", func(f frame) bool { return f.Entry <= 0 })
}

// presses presses one key on any screen.
func (p *person) presses(key string) {
	p.t.Helper()
	response, err := http.Post(p.url+"/panel/keys", "application/json", strings.NewReader(fmt.Sprintf(`{"key":%q}`, key)))
	if err != nil {
		p.t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	if response.StatusCode != http.StatusNoContent {
		p.t.Fatalf("the panel refuses a key: %s", response.Status)
	}
}

// freePort returns a loopback address with an unused port.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
