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
	"smartkiosk/device/scproxy/recording"
	"smartkiosk/device/slot"
)

// Address is where login pages expect the service.
const Address = "127.0.0.1:31505"

// version is the version of Buypass' program whose requests the service answers.
const version = "1.5.2"

// maxRequest is the maximum duration of one request. A slow card signs within two
// seconds.
const maxRequest = 30 * time.Second

// errClosed is the error after Close.
var errClosed = errors.New("service closed")

// Service answers login pages. New makes one.
type Service struct {
	slot     slot.Slot
	log      *slog.Logger
	refs     refs
	uses     *uses
	sessions sessions
}

// New makes a service for the card in a slot. The service claims the card only while
// a session is open, and cannot do so while another program has it.
func New(s slot.Slot, log *slog.Logger) *Service {
	u := newUses()
	return &Service{slot: s, log: log, uses: u, sessions: sessions{slot: s, uses: u, log: log}}
}

// RecordTo makes the service record its sessions while the recorder is on. It must be
// called before the service answers requests.
func (s *Service) RecordTo(r *recording.Recorder) { s.sessions.recorder = r }

// Close ends the session, resets the card and wipes all refs. The service then
// answers commands with 503.
func (s *Service) Close() {
	s.sessions.close()
	s.refs.dropAll()
}

// Forget ends the session, resets the card, and forgets the page that waits for a card. The
// caller has closed the page.
func (s *Service) Forget() {
	s.sessions.forget()
	s.refs.dropAll()
}

// Serve serves the pages that connect to l until ctx ends. Then it closes the service
// and returns nil. l must have a loopback address.
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

// Handler returns the service without TLS.
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

// cardStatus maps what the slot holds to the protocol's cardstatus.
var cardStatus = map[slot.State]int{slot.Present: 302, slot.Empty: 303, slot.Mute: 304}

type readerStatus struct {
	Name   string `json:"name"`
	Status int    `json:"cardstatus"`
}

func (s *Service) list(w http.ResponseWriter, r *http.Request) {
	s.uses.asked()
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

// look returns what the slot holds now.
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

// notAnswered is the errordetail when the card did not answer.
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
	responses, err := s.sessions.exchange(ctx, who, r.PathValue("reader"), commands)
	if err != nil && !errors.Is(err, errNoAnswer) {
		s.fail(w, err)
		return
	}
	reply := struct {
		Responses []apduResponse `json:"apduresponses"` // one for each command, "" if the card did not answer
		Code      int            `json:"errorcode"`
		Detail    int            `json:"errordetail"`
	}{Responses: make([]apduResponse, len(commands))}
	for i, r := range responses {
		reply.Responses[i].APDU = hex.EncodeToString(r.Bytes())
	}
	if err != nil {
		s.log.Warn("scproxy: card did not answer", "err", err)
		reply.Detail = notAnswered
	}
	answer(w, reply)
}

func wipe(commands []apdu.Command) {
	for _, c := range commands {
		clear(c.Data)
	}
}

// errUnknownReader is the error for a reader's name that is not the slot's, or not
// the session's.
var errUnknownReader = errors.New("unknown reader")

// fail answers with the HTTP status of an error and logs the error for the
// technician.
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
	json.NewEncoder(w).Encode(value) // fails only if the browser has closed the connection
}

// maxBody is the maximum length of a request's body in bytes.
const maxBody = 1 << 16

// readBody reads a request's body into one buffer, which the caller can wipe.
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
