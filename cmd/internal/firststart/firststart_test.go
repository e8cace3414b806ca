package firststart

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"smartkiosk/cmd/internal/config"
	"smartkiosk/cmd/internal/enrol"
	"smartkiosk/cmd/internal/network"
	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/kiosk"
	"smartkiosk/kiosk/hub"
	"smartkiosk/kiosk/protocol/est"
)

// stage is a kiosk's SD card, a hub, and what the panel has shown.
type stage struct {
	t         *testing.T
	boot, dir string
	hub       string // folder
	url       string
	start     Start
	shown     []string // without repetitions
	sleeps    int
	do        map[string]func() // by what is shown: what the technician does then, once
}

func newStage(t *testing.T) *stage {
	t.Helper()
	dir := t.TempDir()
	s := &stage{t: t, boot: filepath.Join(dir, "boot"), dir: filepath.Join(dir, "etc"), hub: filepath.Join(dir, "hub"), do: map[string]func(){}}
	pki, err := testpki.New(time.Now())
	s.check(err)
	s.check(pki.Write(filepath.Join(dir, "cards")))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	s.check(err)
	s.url = "https://" + l.Addr().String()
	s.check(hub.Init(s.hub, hub.InitOptions{Listen: l.Addr().String(), URL: s.url, Trust: filepath.Join(dir, "cards")}))
	c, err := hub.Load(s.hub)
	s.check(err)
	opened, err := hub.Open(context.Background(), c, slog.New(slog.NewTextHandler(t.Output(), nil)))
	s.check(err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { _ = opened.Serve(ctx, l); close(ended) }()
	t.Cleanup(func() { cancel(); <-ended; opened.Close() })
	s.check(os.Mkdir(s.boot, 0o700))
	s.start = Start{
		Boot: s.boot, Dir: s.dir, TPM: enrol.TPMOff,
		Interfaces: func() ([]network.Interface, error) { return nil, nil },
		Readers:    func() ([]string, error) { return []string{"ACR39"}, nil },
		Show:       s.show, Sleep: s.sleep, Alive: func() {}, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	return s
}

func (s *stage) check(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) show(screen kiosk.Screen) {
	text := strings.TrimSpace(fmt.Sprintf("%s %s", screen.Setup, screen.Detail))
	if screen.ID != kiosk.ScreenSetup {
		s.t.Errorf("shows %+v", screen)
	}
	if text == "" {
		text = "running"
	}
	if len(s.shown) == 0 || s.shown[len(s.shown)-1] != text {
		s.shown = append(s.shown, text)
	}
}

var errForever = errors.New("the kiosk waits for ever")

func (s *stage) sleep(context.Context, time.Duration) error {
	if s.sleeps++; s.sleeps > 20 {
		return errForever
	}
	last := s.shown[len(s.shown)-1]
	if do := s.do[last]; do != nil {
		delete(s.do, last)
		do()
	}
	return nil
}

// write writes a file of the boot partition.
func (s *stage) write(name, text string) {
	s.t.Helper()
	s.check(os.WriteFile(filepath.Join(s.boot, name), []byte(text), 0o600))
}

func (s *stage) settings(more string) { s.write("kiosk.toml", "hub = '"+s.url+"'\n"+more) }

func (s *stage) code(kiosk string) string {
	s.t.Helper()
	code, _, err := hub.NewCode(s.hub, kiosk)
	s.check(err)
	return code.Text()
}

// awaitHub waits until the running hub has heard of a code, or of its end.
func (s *stage) awaitHub(code est.Code, closed bool) {
	s.t.Helper()
	for {
		_, err := est.CA(s.t.Context(), s.url, code)
		if errors.Is(err, est.ErrClosed) == closed {
			return
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-s.t.Context().Done():
			s.t.Fatal(err)
		}
	}
}

// run runs a start, which must show these screens.
func (s *stage) run(want ...string) {
	s.t.Helper()
	s.shown, s.sleeps = nil, 0
	if err := s.start.Run(s.t.Context()); err != nil {
		s.t.Fatalf("%v; the panel showed %q", err, s.shown)
	}
	if !slices.Equal(s.shown, want) {
		s.t.Errorf("the panel showed %q, want %q", s.shown, want)
	}
}

func (s *stage) exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// A kiosk with both files enrols, and deletes the code. The next start shows nothing.
func TestFirstStart(t *testing.T) {
	s := newStage(t)
	s.settings("language = 'se'\nreader = 'ACR39'\n")
	s.write("CODE.TXT", s.code("lobby-7")+"\r\n")
	s.run("running")
	c, err := config.Load(filepath.Join(s.dir, "kioskd.toml"))
	s.check(err)
	if c.ID != "lobby-7" || c.Language != "se" || c.Reader.Match != "ACR39" {
		t.Errorf("%+v", c)
	}
	if s.exists(filepath.Join(s.boot, "CODE.TXT")) {
		t.Error("the code is still there")
	}
	s.run()

	// Another code for the same kiosk replaces the certificate.
	before, err := os.ReadFile(c.Hub.Certificate)
	s.check(err)
	s.write("code.txt", s.code("lobby-7"))
	s.run("running")
	if after, err := os.ReadFile(c.Hub.Certificate); err != nil || string(after) == string(before) {
		t.Errorf("the certificate is the same: %v", err)
	}

	// Without the files, for example on a card that was written again by mistake.
	s.check(os.Remove(filepath.Join(s.boot, "kiosk.toml")))
	s.run()
}

// The technician corrects one fault after the other.
func TestFaults(t *testing.T) {
	s := newStage(t)
	good := s.code("lobby-7")
	other := s.other("lobby-7")
	s.do["files kiosk.toml"] = func() { s.write("kiosk.toml", "hub = '"+s.url+"'\nbord = 'x'\n") }
	s.do["settings line 2: bord"] = func() { s.settings("board = 'nonsense'\n") }
	s.do["settings board"] = func() { s.settings("") }
	s.do["files code.txt"] = func() { s.write("code.txt", "lobby-7:3467\n") }
	attempts := 0
	s.do["code"] = func() { s.write("code.txt", other) }
	s.start.Readers = func() ([]string, error) { attempts++; return nil, errors.New("no PC/SC service answers") }
	s.start.Show = func(screen kiosk.Screen) {
		s.show(screen)
		if slices.Contains(s.shown, "running") && screen.Setup == kiosk.SetupCode {
			s.do["code"] = func() { s.write("code.txt", good) }
		}
	}
	s.run("files kiosk.toml", "settings line 2: bord", "settings board", "files code.txt", "code", "running", "code", "running", "reader")
	if attempts != 4 {
		t.Errorf("looked for a reader %d times", attempts)
	}
}

// other returns a code that the hub does not know, with the pin of the hub's CA.
func (s *stage) other(kiosk string) string {
	s.t.Helper()
	text := s.code("decoy")
	decoy, err := est.ParseCode(text)
	s.check(err)
	decoy.Kiosk = kiosk
	return decoy.Text()
}

// A hub that does not know of the code yet does not make the code useless.
func TestHubKnowsTheCodeLater(t *testing.T) {
	s := newStage(t)
	s.settings("")
	text := s.code("lobby-7")
	code, err := est.ParseCode(text)
	s.check(err)
	s.check(hub.RevokeCode(s.hub, "lobby-7"))
	s.awaitHub(code, true)
	s.write("code.txt", text)
	s.do["code"] = func() { s.write("code.txt", s.code("lobby-7")) }
	s.run("running", "code", "running")

	later := newStage(t)
	later.settings("")
	later.write("code.txt", text)
	if err := later.start.Run(t.Context()); !errors.Is(err, errForever) {
		t.Fatal(err)
	}
	if n := strings.Count(strings.Join(later.shown, " "), "running"); n < 10 {
		t.Errorf("the kiosk has tried %d times: %q", n, later.shown)
	}
}

// A code that the hub refuses is tried once: five attempts would lock the kiosk's code.
func TestRefusedCodeIsTriedOnce(t *testing.T) {
	s := newStage(t)
	s.settings("")
	good := s.code("lobby-7")
	s.write("code.txt", s.other("lobby-7"))
	if err := s.start.Run(t.Context()); !errors.Is(err, errForever) {
		t.Fatal(err)
	}
	states, err := hub.Codes(s.hub)
	s.check(err)
	for _, c := range states {
		if c.Kiosk == "lobby-7" && c.Wrong != 1 {
			t.Errorf("the hub counts %d wrong attempts", c.Wrong)
		}
	}
	s.write("code.txt", good)
	s.run("running")
}

// A kiosk that serves is not stopped by wrong files: it shows the fault and serves as
// before.
func TestLastGoodSettings(t *testing.T) {
	s := newStage(t)
	s.settings("language = 'nn'\n")
	s.write("code.txt", s.code("lobby-7"))
	s.run("running")

	s.settings("language = 'klingon'\n")
	s.run("settings language")
	if s.sleeps != int(shown/pause) {
		t.Errorf("shows the fault %d times", s.sleeps)
	}
	c, err := config.Load(filepath.Join(s.dir, "kioskd.toml"))
	s.check(err)
	if c.Language != "nn" {
		t.Errorf("the language is %q", c.Language)
	}
	s.settings("language = 'nn'\n")
	s.write("code.txt", "lobby-7:34\n")
	s.run("code")
	if !s.exists(filepath.Join(s.boot, "code.txt")) {
		t.Error("a mistyped code was deleted")
	}
	// A code that the hub refuses would be refused at every start.
	s.write("code.txt", s.other("lobby-7"))
	s.run("running", "code")
	s.run()
	// A code of another kiosk.
	s.write("code.txt", s.code("lobby-8"))
	s.run("running", "code")
}

// The hub is away, and comes back.
func TestHubAway(t *testing.T) {
	s := newStage(t)
	url := s.url
	s.url = "https://127.0.0.1:1"
	s.settings("")
	s.write("code.txt", s.code("lobby-7"))
	s.do["hub 127.0.0.1"] = func() { s.url = url; s.settings("") }
	if err := s.start.Run(t.Context()); !errors.Is(err, errForever) {
		t.Fatal(err)
	}
	s.run("running") // a start reads the settings again
}

func TestPanel(t *testing.T) {
	s := newStage(t)
	if p := Panel(s.boot, s.dir); p.Board != "" || p.Listen == "" {
		t.Errorf("without files: %+v", p)
	}
	own, err := os.ReadFile("../../../deploy/boards/zero2w-keypad-lcd.toml")
	s.check(err)
	s.write("panel.toml", string(own))
	s.settings("board = 'panel.toml'\n")
	if p := Panel(s.boot, s.dir); p.Board != filepath.Join(s.boot, "panel.toml") {
		t.Errorf("a wiring file on the boot partition: %+v", p)
	}
	s.write("code.txt", s.code("lobby-7"))
	s.run("running")
	if p := Panel(s.boot, s.dir); p.Board != filepath.Join(s.dir, "panel.toml") {
		t.Errorf("after the first start: %+v", p)
	}
}
