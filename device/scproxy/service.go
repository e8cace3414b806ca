package scproxy

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"smartkiosk/device/apdu"
	"smartkiosk/device/slot"
)

// Address is where login pages look for the service.
const Address = "127.0.0.1:31505"

// version is that of the original whose requests are answered.
const version = "1.5.2"

// maxRequest is how long one request may take: a card signs in two seconds at
// most, over a slow contact.
const maxRequest = 30 * time.Second

// errClosed says that the service has been closed.
var errClosed = errors.New("service closed")

// Service answers login pages. Make it with New.
type Service struct {
	slot     slot.Slot
	log      *slog.Logger
	refs     refs
	sessions sessions
}

// New makes a service over a slot. It claims the slot's card only while a
// session is open, and cannot while anybody else has it.
func New(s slot.Slot, log *slog.Logger) *Service {
	return &Service{slot: s, log: log, sessions: sessions{slot: s, log: log}}
}

// Close ends the session, resets the card and wipes what was given out for
// PINs. The service answers 503 to commands from then on.
func (s *Service) Close() {
	s.sessions.close()
	s.refs.dropAll()
}

// Serve serves pages that dial l, which must be of this machine alone, until
// ctx ends; then it closes the service and gives nil.
func (s *Service) Serve(ctx context.Context, l net.Listener, certificate tls.Certificate) error {
	if a, ok := l.Addr().(*net.TCPAddr); !ok || !a.IP.IsLoopback() {
		return fmt.Errorf("cannot serve SCProxy at %s: not a loopback address", l.Addr())
	}
	server := &http.Server{
		Handler:        s.Handler(),
		TLSConfig:      &tls.Config{Certificates: []tls.Certificate{certificate}},
		ReadTimeout:    maxRequest,
		WriteTimeout:   2 * maxRequest,
		IdleTimeout:    2 * maxRequest,
		MaxHeaderBytes: 1 << 14,
		ErrorLog:       slog.NewLogLogger(s.log.Handler(), slog.LevelDebug), // browsers that do not trust the certificate yet
	}
	defer s.Close()
	defer context.AfterFunc(ctx, func() { server.Close() })()
	err := server.ServeTLS(l, "", "")
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("cannot serve SCProxy: %w", err)
}

// Handler gives the service without TLS, which is Serve's part.
func (s *Service) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /scard/version/{$}", s.version)
	mux.HandleFunc("POST /scard/list/{$}", s.list)
	mux.HandleFunc("POST /scard/getref/{$}", s.getRef)
	mux.HandleFunc("POST /scard/apdu/{reader}", s.transmit)
	mux.HandleFunc("POST /scard/disconnect/{$}", s.disconnect)
	return guard(mux)
}

func (s *Service) version(w http.ResponseWriter, _ *http.Request) {
	answer(w, struct {
		Version string `json:"version"`
	}{version})
}

// cardStatus is how pages are told what a reader holds.
var cardStatus = map[slot.State]int{slot.Present: 302, slot.Empty: 303, slot.Mute: 304}

type readerStatus struct {
	Name   string `json:"name"`
	Status int    `json:"cardstatus"`
}

func (s *Service) list(w http.ResponseWriter, r *http.Request) {
	found, err := s.look(r.Context())
	if err != nil {
		s.fail(w, err)
		return
	}
	readers := []readerStatus{}
	if found.State != slot.NoReader {
		readers = append(readers, readerStatus{found.Reader, cardStatus[found.State]})
	}
	answer(w, struct {
		Readers []readerStatus `json:"readers"`
		Code    int            `json:"errorcode"`
		Detail  int            `json:"errordetail"`
	}{Readers: readers})
}

// look gives what the slot holds now.
func (s *Service) look(ctx context.Context) (slot.Event, error) {
	ctx, stop := context.WithTimeout(ctx, maxRequest)
	defer stop()
	found, ok := <-s.slot.Watch(ctx)
	if !ok {
		return slot.Event{}, ctx.Err()
	}
	return found, nil
}

func (s *Service) getRef(w http.ResponseWriter, _ *http.Request) {
	number, data := s.refs.issue()
	defer clear(data[:])
	answer(w, struct {
		Ref  uint32 `json:"ref"`
		Data string `json:"data"`
	}{number, hex.EncodeToString(data[:])})
}

func (s *Service) disconnect(w http.ResponseWriter, r *http.Request) {
	body, err := readBody(r)
	if err != nil {
		s.fail(w, err)
		return
	}
	request, err := parseDisconnect(body)
	if err != nil {
		s.fail(w, err)
		return
	}
	s.sessions.disconnect(owner{r.Header.Get("Origin"), request.Session})
}

type apduResponse struct {
	APDU string `json:"apdu"`
}

// notAnswered is the errordetail for a card that did not answer.
const notAnswered = -3

func (s *Service) transmit(w http.ResponseWriter, r *http.Request) {
	ctx, stop := context.WithTimeout(r.Context(), maxRequest)
	defer stop()
	body, err := readBody(r)
	if err != nil {
		s.fail(w, err)
		return
	}
	defer clear(body)
	request, err := parseTransmit(body)
	defer request.wipe()
	if err != nil {
		s.fail(w, err)
		return
	}
	commands, err := s.refs.commands(request)
	defer wipe(commands)
	if err != nil {
		s.fail(w, err)
		return
	}
	who := owner{r.Header.Get("Origin"), request.Session}
	if err := s.checkReader(ctx, who, r.PathValue("reader")); err != nil {
		s.fail(w, err)
		return
	}
	responses, err := s.sessions.exchange(ctx, who, commands)
	if err != nil && len(responses) == 0 && !errors.Is(err, slot.ErrNoCard) {
		s.fail(w, err)
		return
	}
	reply := struct {
		Responses []apduResponse `json:"apduresponses"`
		Code      int            `json:"errorcode"`
		Detail    int            `json:"errordetail"`
	}{Responses: []apduResponse{}}
	for _, r := range responses {
		reply.Responses = append(reply.Responses, apduResponse{hex.EncodeToString(r.Bytes())})
	}
	if err != nil {
		s.log.Warn("scproxy: card did not answer", "err", err)
		reply.Detail = notAnswered
	}
	answer(w, reply)
}

// checkReader tells whether there is a reader of that name: the slot's, which
// is looked for once in a session.
func (s *Service) checkReader(ctx context.Context, who owner, name string) error {
	if s.sessions.is(who) {
		return nil
	}
	found, err := s.look(ctx)
	if err == nil && (found.State == slot.NoReader || found.Reader != name) {
		return errUnknownReader
	}
	return err
}

func wipe(commands []apdu.Command) {
	for _, c := range commands {
		clear(c.Data)
	}
}

// errUnknownReader says that a page named a reader that is not there.
var errUnknownReader = errors.New("no such reader")

// fail answers with the HTTP status of an error. What it says is for who
// writes pages; the technician finds it in the log.
func (s *Service) fail(w http.ResponseWriter, err error) {
	status := http.StatusServiceUnavailable
	switch {
	case errors.Is(err, errForbidden):
		status = http.StatusForbidden
	case errors.Is(err, errBody), errors.Is(err, errPacket), errors.Is(err, errUnknownRef), errors.Is(err, errUnknownReader), errors.Is(err, apdu.ErrMalformed):
		status = http.StatusBadRequest
	}
	s.log.Warn("scproxy: request refused", "status", status, "err", err)
	http.Error(w, err.Error(), status)
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(value) // who is gone gets no answer
}

// maxBody is the most bytes of a request's body.
const maxBody = 1 << 16

// readBody reads a request's body into one buffer, which no other copy is made
// of.
func readBody(r *http.Request) ([]byte, error) {
	if r.ContentLength < 0 || r.ContentLength > maxBody {
		return nil, fmt.Errorf("%w: %d bytes", errBody, r.ContentLength)
	}
	b := make([]byte, r.ContentLength)
	if _, err := io.ReadFull(r.Body, b); err != nil {
		clear(b)
		return nil, fmt.Errorf("%w: %v", errBody, err)
	}
	return b, nil
}
