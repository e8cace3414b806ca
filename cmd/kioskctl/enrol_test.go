//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"smartkiosk/cmd/internal/config"
	"smartkiosk/cmd/internal/devicekey"
	"smartkiosk/device/cardsim/testpki"
	"smartkiosk/kiosk/hub"
	"smartkiosk/kiosk/protocol/est"
	"smartkiosk/kiosk/protocol/hubapi"
)

// aHub is a hub of a script, in this process.
type aHub struct {
	dir, address string
	ahead        time.Duration // of its clock
	stop         func()
	listener     *mortalListener
}

// mortalListener is the listener of a hub that dies at a certain moment: it and all its
// connections close.
type mortalListener struct {
	net.Listener

	mu    sync.Mutex
	conns []net.Conn
	at    int  // it dies at this connection from now on; 0 for never
	grant bool // it dies when the hub has issued a certificate, before the answer
}

func (l *mortalListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns = append(l.conns, conn)
	if l.at--; l.at == 0 {
		l.die()
	}
	return conn, nil
}

// die needs the lock.
func (l *mortalListener) die() {
	_ = l.Listener.Close()
	for _, conn := range l.conns {
		_ = conn.Close()
	}
}

// Write is called with each line of the hub's log.
func (l *mortalListener) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.grant && bytes.Contains(line, []byte(`msg="certificate issued"`)) {
		l.die()
	}
	return len(line), nil
}

type hubKey struct{}

// hubCommands are the commands of scripts that need a hub:
//
//	hub start             makes a hub the first time, runs it, and sets $HUB to its URL
//	hub stop              stops it
//	hub dies at N         its Nth connection from now on kills it
//	hub dies issued       it is killed when it has issued a certificate, before it answers
//	hub code VAR KIOSK    sets $VAR to a new one-time code
//	hub wrong VAR KIOSK   sets $VAR to a code of this hub with another secret
//	hub guess KIOSK N     guesses the kiosk's code N times: see guess
//	hub later DURATION    starts it again with a clock that is ahead
//	hub remove KIOSK      removes a kiosk
//	hub accepts FOLDER    fails unless the hub answers the kiosk whose folder it is
func hubCommand(ts *testscript.TestScript, neg bool, args []string) {
	h := ts.Value(hubKey{}).(*aHub)
	switch args[0] {
	case "start":
		h.start(ts)
		ts.Setenv("HUB", "https://"+h.address)
	case "stop":
		h.stop()
		h.stop = nil
	case "dies":
		h.listener.mu.Lock()
		defer h.listener.mu.Unlock()
		if h.listener.grant = args[1] == "issued"; !h.listener.grant {
			n, err := strconv.Atoi(args[2])
			ts.Check(err)
			h.listener.at = n
		}
	case "code":
		code, _, err := hub.NewCode(h.dir, args[2])
		ts.Check(err)
		ts.Setenv(args[1], code.Text())
	case "wrong":
		ts.Setenv(args[1], h.otherCode(ts, args[2]).Text())
	case "guess":
		n, err := strconv.Atoi(args[2])
		ts.Check(err)
		h.guess(ts, args[1], n)
	case "later":
		ahead, err := time.ParseDuration(args[1])
		ts.Check(err)
		h.stop()
		h.ahead = ahead
		h.start(ts)
	case "remove":
		_, err := hub.RemoveClient(h.dir, hubapi.Identity{Role: hubapi.RoleKiosk, Name: args[1]})
		ts.Check(err)
	case "accepts":
		if err := h.accepts(ts, ts.MkAbs(args[1])); (err != nil) != neg {
			ts.Fatalf("the hub's answer: %v", err)
		}
	default:
		ts.Fatalf("unknown hub %s", args[0])
	}
}

func (h *aHub) start(ts *testscript.TestScript) {
	if h.dir == "" {
		pki, err := testpki.New(time.Now())
		ts.Check(err)
		ts.Check(pki.Write(ts.MkAbs("cards")))
		l, err := net.Listen("tcp", "127.0.0.1:0")
		ts.Check(err)
		h.dir, h.address = ts.MkAbs("hub"), l.Addr().String()
		ts.Check(l.Close())
		ts.Check(hub.Init(h.dir, hub.InitOptions{Listen: h.address, URL: "https://" + h.address, Trust: ts.MkAbs("cards")}))
	}
	c, err := hub.Load(h.dir)
	ts.Check(err)
	c.Now = func() time.Time { return time.Now().Add(h.ahead) }
	l, err := net.Listen("tcp", h.address)
	ts.Check(err)
	h.listener = &mortalListener{Listener: l}
	opened, err := hub.Open(context.Background(), c, slog.New(slog.NewTextHandler(h.listener, nil)))
	ts.Check(err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { _ = opened.Serve(ctx, h.listener); close(ended) }()
	h.stop = func() { cancel(); <-ended; opened.Close() }
	ts.Defer(func() {
		if h.stop != nil {
			h.stop()
			h.stop = nil
		}
	})
}

// otherCode makes a code that the hub does not know.
func (h *aHub) otherCode(ts *testscript.TestScript, kiosk string) est.Code {
	text := ts.ReadFile("hub/ca.pem")
	block, _ := pem.Decode([]byte(text))
	ca, err := x509.ParseCertificate(block.Bytes)
	ts.Check(err)
	code, err := est.NewCode(kiosk, ca, rand.Reader)
	ts.Check(err)
	return code
}

// guess tries another code n times, and fails unless the hub calls it wrong five times. The
// hub refuses the other attempts, because the code is locked or because they are too many.
func (h *aHub) guess(ts *testscript.TestScript, kiosk string, n int) {
	code := h.otherCode(ts, kiosk)
	ca, err := est.CA(context.Background(), "https://"+h.address, code)
	ts.Check(err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	request, err := est.NewRequest(hubapi.Identity{Role: hubapi.RoleKiosk, Name: kiosk}, key)
	ts.Check(err)
	wrong, locked := 0, 0
	for range n {
		_, err := est.Enrol(context.Background(), "https://"+h.address, ca, code, request)
		if err == nil {
			ts.Fatalf("a guess was right")
		}
		if p, ok := errors.AsType[*hubapi.Problem](err); ok && p.Status == http.StatusUnauthorized {
			wrong++
		} else if ok && p.Status == http.StatusForbidden {
			locked++
		}
	}
	if wrong != 5 || locked == 0 {
		ts.Fatalf("%d guesses: %d wrong, %d locked", n, wrong, locked)
	}
}

func (h *aHub) accepts(ts *testscript.TestScript, folder string) error {
	c, err := config.Load(filepath.Join(folder, "kioskd.toml"))
	ts.Check(err)
	key, closer, err := devicekey.Open(c.Hub.Key, c.Hub.TPM)
	ts.Check(err)
	defer closer.Close()
	credentials, err := hubapi.NewCredentials(c.Hub.CA, c.Hub.Certificate, key)
	ts.Check(err)
	_, err = hubapi.NewClient(c.Hub.URL, credentials.TLS).Challenge(context.Background())
	return err
}
