//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
	"periph.io/x/conn/v3/i2c"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/cmd/internal/devicekey"
	"smartkiosk/device/cardsim"
	"smartkiosk/device/cardsim/pcsctest"
	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/device/keypad"
	"smartkiosk/device/reader"
	"smartkiosk/device/scproxy"
	"smartkiosk/device/scproxy/recording"
	"smartkiosk/device/tpmkey/swtpm"
	"smartkiosk/kiosk/protocol/trust"
	"smartkiosk/kiosk/protocol/webeid"
)

// mainOnPi is kioskctl on a machine whose files are in the folder $PI. The
// machine has pcscd, but no I²C device, number pad or GPIO chip.
func mainOnPi() {
	root := os.Getenv("PI")
	p := program{
		machine: machine{
			root:    root,
			openBus: func(device string) (i2c.BusCloser, error) { return nil, fmt.Errorf("no %s", device) },
			pads:    func() ([]keypad.Pad, error) { return nil, nil },
			readers: reader.List,
			chips:   func() []chipFinding { return nil },
			access:  func(path string) error { return unix.Access(path, unix.R_OK|unix.W_OK) },
			now:     time.Now,
		},
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
	}
	cli.Main(p.command())
}

// stage is what the commands of one script share.
type stage struct {
	t      testing.TB
	pki    *testpki.PKI
	kinds  map[string]testpki.Kind
	pcscd  *pcsctest.Daemon
	remove func() // removes the card in the reader

	recorder *recording.Recorder // of the command kioskd
}

type stageKey struct{}

func stageOf(ts *testscript.TestScript) *stage { return ts.Value(stageKey{}).(*stage) }

// card returns a card of the script's PKI.
func (s *stage) card(ts *testscript.TestScript, name string) *cardsim.Card {
	if s.pki == nil {
		var err error
		s.pki, err = testpki.New(time.Now())
		ts.Check(err)
		s.kinds, err = s.pki.Kinds()
		ts.Check(err)
		ts.Check(s.pki.Write(ts.MkAbs("pki")))
	}
	card := s.pki.Cards[name]
	if card == nil {
		card = s.kinds[name].Card
	}
	if card == nil {
		ts.Fatalf("there is no card %q", name)
	}
	return card
}

// TestScripts runs testdata/script.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Values[stageKey{}] = &stage{t: e.T().(testing.TB)}
			e.Values[hubKey{}] = &aHub{}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status": status,
			"hub":    hubCommand,
			"talk":   talk,
			// pcscd starts a PC/SC service with a virtual reader.
			"pcscd": func(ts *testscript.TestScript, _ bool, _ []string) {
				s := stageOf(ts)
				s.pcscd = pcsctest.Start(s.t)
			},
			// card NAME inserts a software card into the virtual reader, in
			// place of the card that is in it. The PKI of the cards is in pki.
			"card": func(ts *testscript.TestScript, _ bool, args []string) {
				s := stageOf(ts)
				card := s.card(ts, args[0])
				if s.remove != nil {
					s.remove()
				}
				s.remove = s.pcscd.Insert(s.t, card)
			},
			// outbox N makes $SOCKET, which serves an outbox with N events as
			// kioskd does, $OUTBOX, a copy of its file, and the files $SEALS and
			// $CERTIFICATE to verify it with.
			"outbox": func(ts *testscript.TestScript, _ bool, args []string) {
				n, err := strconv.Atoi(args[0])
				ts.Check(err)
				k := newKept(stageOf(ts).t, n)
				file, err := os.ReadFile(k.outbox)
				ts.Check(err)
				ts.Check(os.WriteFile(ts.MkAbs("copy.db"), file, 0o400))
				ts.Setenv("OUTBOX", ts.MkAbs("copy.db"))
				ts.Setenv("SOCKET", k.socket)
				ts.Setenv("SEALS", k.keys[1])
				ts.Setenv("CERTIFICATE", k.keys[3])
			},
			// oldbox FOLDER N FILE makes an outbox with N events of the kiosk in the
			// folder, sealed to its hub.
			"oldbox": oldBox,
			// validtoken ORIGIN NONCE fails unless the last command printed a
			// token that a hub accepts.
			"validtoken": func(ts *testscript.TestScript, neg bool, args []string) {
				domains, err := trust.Load(ts.MkAbs("pki/trust.toml"))
				ts.Check(err)
				token := bytes.TrimSpace([]byte(ts.ReadFile("stdout")))
				v := webeid.Validator{Origin: args[0], Domains: domains}
				_, err = v.Validate(context.Background(), token, args[1], time.Now())
				if neg != (err != nil) {
					ts.Fatalf("validation of the token: %v", err)
				}
			},
			"kioskd": kioskd,
			"login":  login,
			// tpm starts a software TPM and puts its path into $TPM.
			"tpm": func(ts *testscript.TestScript, _ bool, _ []string) {
				ts.Setenv("TPM", swtpm.Start(stageOf(ts).t).Path)
			},
			// image FILE SIZE makes a kiosk's image of a few MB, as a file and
			// compressed (FILE.zst), and the disk $PI/dev/sdb with SIZE bytes.
			"image": imageCommand,
			// bootfile FILE WANT fails unless the boot partition of $PI/dev/sdb has the
			// file with the content of WANT.
			"bootfile": bootfileCommand,
			// serial makes a serial port, puts its path into $PORT and discards
			// what is written to it.
			"serial": func(ts *testscript.TestScript, _ bool, _ []string) {
				line, port := terminal(stageOf(ts).t)
				go func() { _, _ = io.Copy(io.Discard, line) }()
				ts.Setenv("PORT", port.Name())
			},
			// expand FILE replaces $NAME in a file by the environment variable.
			"expand": func(ts *testscript.TestScript, _ bool, args []string) {
				text := os.Expand(ts.ReadFile(args[0]), ts.Getenv)
				ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
			},
			// json FIELD WANT fails unless the last command printed a JSON object
			// in which FIELD, such as pins.0.tries, has this value.
			"json": func(ts *testscript.TestScript, _ bool, args []string) {
				var v any
				ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &v))
				for _, name := range strings.Split(args[0], ".") {
					switch in := v.(type) {
					case map[string]any:
						v = in[name]
					case []any:
						i, err := strconv.Atoi(name)
						ts.Check(err)
						if i >= len(in) {
							ts.Fatalf("%s: there are only %d", args[0], len(in))
						}
						v = in[i]
					default:
						ts.Fatalf("%s: nothing has the field %s", args[0], name)
					}
				}
				if got := fmt.Sprint(v); got != args[1] {
					ts.Fatalf("%s is %q, want %q", args[0], got, args[1])
				}
			},
		},
	})
}

// exitStatus returns the exit status that err of a command means.
func exitStatus(ts *testscript.TestScript, err error) int {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	ts.Check(err)
	return 0
}

// status is the command "status WANT COMMAND...". It fails unless the command
// exits with this status.
func status(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := exitStatus(ts, ts.Exec(args[1], args[2:]...)); got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// talk is the command "talk FILE WANT COMMAND...". It runs a command at a
// terminal and fails unless the command exits with this status. In FILE, a line
// that begins with "> " is typed, and any other line is a text that the terminal
// must show first. The terminal shows the command's standard error.
//
// The commands discard what is typed before they ask. The script's own ttyin
// types at once and would lose it.
func talk(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	person, tty := terminal(stageOf(ts).t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // only a command that hangs needs it
	defer cancel()
	path, err := exec.LookPath(args[2])
	ts.Check(err)
	c := exec.CommandContext(ctx, path, args[3:]...)
	var printed bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = tty, &printed, tty
	c.Dir = ts.MkAbs(".")
	c.Env = append(os.Environ(), "PI="+ts.Getenv("PI"))
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	ts.Check(c.Start())
	ts.Check(tty.Close()) // the command alone has it now: its end is the end of what is shown

	var shown strings.Builder
	screen := bufio.NewReader(io.TeeReader(person, &shown))
	var missing string
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		line = strings.TrimSuffix(line, "\n")
		if typed, ok := strings.CutPrefix(line, "> "); ok {
			_, err = person.WriteString(typed + "\n")
			ts.Check(err)
		} else if !await(screen, line) {
			missing = line
			break
		}
	}
	_, _ = io.Copy(io.Discard, screen) // ends with EIO when the command ends
	got := exitStatus(ts, c.Wait())
	_, err = ts.Stdout().Write(printed.Bytes())
	ts.Check(err)
	_, err = io.WriteString(ts.Stderr(), strings.ReplaceAll(shown.String(), "\r\n", "\n"))
	ts.Check(err)
	if missing != "" {
		ts.Fatalf("the terminal did not show %q", missing)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// await reads up to and including text and tells whether it came.
func await(from io.ByteReader, text string) bool {
	var seen []byte
	for !bytes.HasSuffix(seen, []byte(text)) {
		b, err := from.ReadByte()
		if err != nil {
			return false
		}
		seen = append(seen, b)
	}
	return true
}

// kioskd is the command "kioskd". It serves /v1/clock at $SOCKET as a kioskd does
// whose machine's clock is an hour behind. A time that is set takes effect. It also
// serves /v1/scproxy/record; the recording is the file login.txt.
func kioskd(ts *testscript.TestScript, _ bool, _ []string) {
	dir, err := os.MkdirTemp("", "kioskd") // the path of a socket must be short
	ts.Check(err)
	socket := filepath.Join(dir, "kioskd.sock")
	l, err := net.Listen("unix", socket)
	ts.Check(err)
	remembered := time.Date(2026, 11, 22, 13, 0, 0, 0, time.UTC)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/clock", func(w http.ResponseWriter, _ *http.Request) {
		now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
		_ = json.NewEncoder(w).Encode(map[string]any{"now": now, "at": remembered, "tls": remembered, "remembered": remembered, "behind": now.Before(remembered)})
	})
	mux.HandleFunc("PUT /v1/clock", func(w http.ResponseWriter, r *http.Request) {
		var set struct{ Time time.Time }
		if err := json.NewDecoder(r.Body).Decode(&set); err != nil || set.Time.Year() < 2026 {
			http.Error(w, "this time is before the program was built", http.StatusBadRequest)
			return
		}
		remembered = set.Time
		w.WriteHeader(http.StatusNoContent)
	})
	s := stageOf(ts)
	s.recorder = recording.New(ts.MkAbs("login.txt"), slog.New(slog.DiscardHandler))
	mux.Handle("/v1/scproxy/record", recording.Handler(s.recorder))
	mux.HandleFunc("GET /v1/identity", func(w http.ResponseWriter, _ *http.Request) {
		end := time.Now().Add(10*24*time.Hour - time.Hour).UTC()
		_ = json.NewEncoder(w).Encode(devicekey.Status{
			Kiosk: "k1", Hub: "https://hub.example", NotAfter: end, RenewAt: end, Failure: "the hub is down", Twin: "192.0.2.7", Mark: "x2",
		})
	})
	server := &http.Server{Handler: mux}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	ts.Defer(func() {
		_ = server.Close()
		<-served
		_ = os.RemoveAll(dir)
	})
	ts.Setenv("SOCKET", socket)
}

// login is the command "login CARD APDU...". A login page sends the APDUs to the card
// through a service that the command kioskd records. @PIN in an APDU is a packet with
// the PIN of the test cards for the command before it, such as A020008208@PIN.
func login(ts *testscript.TestScript, _ bool, args []string) {
	s := stageOf(ts)
	slot := cardsim.NewSlot("reader")
	slot.Insert(s.card(ts, args[0]))
	service := scproxy.New(slot, slog.New(slog.DiscardHandler))
	defer service.Close()
	service.RecordTo(s.recorder)
	post := func(path, body string) []byte {
		r := httptest.NewRequest(http.MethodPost, "https://"+scproxy.Address+"/scard/"+path, strings.NewReader(body))
		r.Header.Set("Origin", "https://secure.buypass.no")
		w := httptest.NewRecorder()
		service.Handler().ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			ts.Fatalf("%s %s: %d %s", path, body, w.Code, w.Body)
		}
		return w.Body.Bytes()
	}
	for _, apdu := range args[1:] {
		if command, ok := strings.CutSuffix(apdu, "@PIN"); ok {
			var ref struct {
				Ref  uint32
				Data string
			}
			ts.Check(json.Unmarshal(post("getref/", ""), &ref))
			data, err := hex.DecodeString(ref.Data)
			ts.Check(err)
			pin := []byte(testpki.PIN)
			for i := range pin {
				pin[i] ^= data[i] ^ data[i+len(pin)]
			}
			apdu = fmt.Sprintf("FFFF0104%08X%02X%02X%s%X%s", ref.Ref, len(command)/2, len(pin), command, pin, strings.Repeat("FF", 8-len(pin)))
		}
		if answer := string(post("apdu/reader", `{"session":"s","apducommands":[{"apdu":"`+apdu+`"}]}`)); !strings.Contains(answer, `9000"}]`) {
			ts.Fatalf("%s: %s", apdu, answer)
		}
	}
}
