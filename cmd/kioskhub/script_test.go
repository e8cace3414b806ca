package main

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"smartkiosk/cmd/internal/cli"
	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/kiosk/protocol/webeid"
)

// The test binary is also kioskhub, for scripts and for tests that kill a process.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"kioskhub": main})
}

// run runs a command line in this process.
func run(ctx context.Context, stdout io.Writer, args ...string) error {
	p := newProgram(stdout, io.Discard)
	return cli.Run(ctx, p.command(), args, nil, stdout, io.Discard)
}

// pkiOf is the key under which a script keeps its PKI.
type pkiOf struct{}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			e.Values[pkiOf{}] = new(*testpki.PKI)
			bundles, err := filepath.Abs("../../kiosk/protocol/raucbundle/testdata")
			e.Setenv("BUNDLES", bundles)
			return err
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"testpki": func(ts *testscript.TestScript, _ bool, args []string) {
				pki, err := testpki.New(time.Now())
				ts.Check(err)
				ts.Check(pki.Write(ts.MkAbs(args[0])))
				*ts.Value(pkiOf{}).(**testpki.PKI) = pki
			},
			// token CARD ORIGIN NONCE FILE writes a token that a card of the last testpki
			// signs.
			"token": func(ts *testscript.TestScript, _ bool, args []string) {
				pki := *ts.Value(pkiOf{}).(**testpki.PKI)
				c := pki.Holders[args[0]].Authentication
				token, err := webeid.Sign(c.Key, c.Certificate.Raw, args[1], args[2])
				ts.Check(err)
				ts.Check(os.WriteFile(ts.MkAbs(args[3]), token, 0o600))
			},
			// status WANT COMMAND... fails unless the command exits with this status.
			"status": func(ts *testscript.TestScript, _ bool, args []string) {
				want, err := strconv.Atoi(args[0])
				ts.Check(err)
				err = ts.Exec(args[1], args[2:]...)
				got := 0
				if exit, ok := errors.AsType[*exec.ExitError](err); ok {
					got = exit.ExitCode()
				} else {
					ts.Check(err)
				}
				if got != want {
					ts.Fatalf("exit status %d, want %d", got, want)
				}
			},
			// firstline WANT fails unless the last command printed WANT as its first line.
			"firstline": func(ts *testscript.TestScript, _ bool, args []string) {
				if got, _, _ := strings.Cut(ts.ReadFile("stdout"), "\n"); got != args[0] {
					ts.Fatalf("the first line is %q, want %q", got, args[0])
				}
			},
			// occupy listens on a free port until the script ends and sets $ADDR to its
			// address.
			"occupy": func(ts *testscript.TestScript, _ bool, _ []string) {
				ln, err := net.Listen("tcp", "127.0.0.1:0")
				ts.Check(err)
				ts.Defer(func() { ln.Close() })
				ts.Setenv("ADDR", ln.Addr().String())
			},
			// newest VAR sets $VAR to the first key that seal list prints.
			"newest": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Check(ts.Exec("kioskhub", "seal", "list", "--dir", "hub"))
				_, keys, _ := strings.Cut(ts.ReadFile("stdout"), "\n")
				id, _, _ := strings.Cut(keys, " ")
				ts.Setenv(args[0], id)
			},
			// forge FROM TO changes the name in a certificate request.
			"forge": func(ts *testscript.TestScript, _ bool, args []string) {
				block, _ := pem.Decode([]byte(ts.ReadFile(args[0])))
				block.Bytes = bytes.Replace(block.Bytes, []byte("k1"), []byte("k4"), 1)
				ts.Check(os.WriteFile(ts.MkAbs(args[1]), pem.EncodeToMemory(block), 0o600))
			},
			// mode FILE MODE fails unless the file has these permissions.
			"mode": func(ts *testscript.TestScript, _ bool, args []string) {
				info, err := os.Stat(ts.MkAbs(args[0]))
				ts.Check(err)
				if got := fmt.Sprintf("%o", info.Mode().Perm()); got != args[1] {
					ts.Fatalf("%s has mode %s, want %s", args[0], got, args[1])
				}
			},
		},
	})
}
