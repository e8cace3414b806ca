// Package event makes and reads the kiosk's records: one event for everything
// the backend must know, above all for every outcome shown to a person.
//
// An event is a CloudEvent 1.0 in structured JSON whose data is a JWE in
// compact serialisation (RFC 7516: ECDH-ES+A256KW, A256GCM, to the hub's
// sealing key) of a JWS (RFC 7515: ES256, by the kiosk's device key). What is
// signed is the header, the link to the event before, and the payload, in one
// JSON object. So an event is confidential, authentic and in its place:
//
//   - a stolen memory card shows when something happened, never to whom;
//   - the signed header must equal the CloudEvent's attributes;
//   - each event holds the SHA-256 of the JWS before it.
//
// EVENTS.md lists the types and what they carry.
package event

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

//go:generate go test -run TestDocumentation . -update

// MaxSize is the size in bytes beyond which no event is made or opened: what
// every CloudEvents intermediary must forward (CloudEvents 1.0 §size limits).
const MaxSize = 64 << 10

// LinkSize is the size in bytes of the link between an event and the next.
const LinkSize = sha256.Size

// Header says which event this is. It is what remains readable on the kiosk.
type Header struct {
	ID           string        // a UUIDv7, see NewID
	Kiosk        string        // who made it; Seal fills it in
	Sequence     uint64        // 1, 2, 3 … per kiosk, without a gap
	Type         string        // one of Types
	Time         time.Time     // by the kiosk's clock; kept in UTC, to the millisecond
	BootID       string        // which run of the machine (Linux: random/boot_id)
	Uptime       time.Duration // since then, to the millisecond
	ClockTrusted bool          // Time was synchronised
	Prev         []byte        // the link of the event before, LinkSize bytes; nil at sequence 1, and where an event that stands in for another does not know it
}

// Link gives the link that the event after jws carries as Prev: the SHA-256
// of the compact serialisation.
func Link(jws string) []byte { return link([]byte(jws)) }

func link(jws []byte) []byte {
	sum := sha256.Sum256(jws)
	return sum[:]
}

// NewID makes a UUIDv7 (RFC 9562 §5.7) of a moment and 10 bytes from random.
// It is not uuid.NewV7FromReader because that reads the machine's clock.
func NewID(at time.Time, random io.Reader) (string, error) {
	var u uuid.UUID
	if _, err := io.ReadFull(random, u[6:]); err != nil {
		return "", fmt.Errorf("cannot make an event id: %w", err)
	}
	ms := uint64(at.UnixMilli())
	for i := range 6 {
		u[i] = byte(ms >> (40 - 8*i))
	}
	u[6] = u[6]&0x0F | 0x70
	u[8] = u[8]&0x3F | 0x80
	return u.String(), nil
}

const (
	sourcePrefix = "urn:smartkiosk:kiosk:"
	timeFormat   = "2006-01-02T15:04:05.000Z"
)

var (
	kioskForm  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)
	typeForm   = regexp.MustCompile(`^smartkiosk\.[a-z][a-z0-9-]*\.v[1-9][0-9]*$`)
	bootIDForm = regexp.MustCompile(`^[0-9A-Za-z-]{1,64}$`)
)

// check tells what a header lacks to be sealed, or to have been sealed by us.
func (h Header) check() error {
	switch id, err := uuid.Parse(h.ID); {
	case err != nil || id.Version() != 7 || id.String() != h.ID:
		return errors.New("id is no UUIDv7")
	case !kioskForm.MatchString(h.Kiosk):
		return errors.New("source is no kiosk")
	case !typeForm.MatchString(h.Type) || madeByHub(h.Type):
		return errors.New("type is none of a kiosk")
	case h.Sequence == 0:
		return errors.New("sequence begins at 1")
	case h.Time.Year() < 1970 || h.Time.Year() > 9999:
		return errors.New("time is outside 1970 to 9999")
	case !bootIDForm.MatchString(h.BootID):
		return errors.New("bootid is missing or malformed")
	case h.Uptime < 0:
		return errors.New("uptimems is negative")
	case h.Sequence == 1 && len(h.Prev) != 0:
		return errors.New("prev at sequence 1")
	case h.Sequence != 1 && len(h.Prev) != LinkSize && !(standsIn(h.Type) && len(h.Prev) == 0):
		return errors.New("prev is no link")
	}
	return nil
}

// attributes are a header as CloudEvents has it. Sequence is a string that
// sorts as the number does, as the CloudEvents sequence extension wants it,
// and uptimems one because a CloudEvents Integer ends after 24 days.
type attributes struct {
	ID           string `json:"id"`
	Source       string `json:"source"`
	Type         string `json:"type"`
	Time         string `json:"time"`
	Sequence     string `json:"sequence"`
	BootID       string `json:"bootid"`
	UptimeMS     string `json:"uptimems"`
	ClockTrusted bool   `json:"clocktrusted"`
}

func (h Header) attributes() attributes {
	return attributes{
		ID:           h.ID,
		Source:       sourcePrefix + h.Kiosk,
		Type:         h.Type,
		Time:         h.Time.UTC().Format(timeFormat),
		Sequence:     fmt.Sprintf("%020d", h.Sequence),
		BootID:       h.BootID,
		UptimeMS:     strconv.FormatInt(h.Uptime.Milliseconds(), 10),
		ClockTrusted: h.ClockTrusted,
	}
}

// same tells whether two headers have the same attributes.
func (h Header) same(o Header) bool {
	return h.ID == o.ID && h.Kiosk == o.Kiosk && h.Type == o.Type && h.Time.Equal(o.Time) && h.Sequence == o.Sequence &&
		h.BootID == o.BootID && h.Uptime == o.Uptime && h.ClockTrusted == o.ClockTrusted
}

// headerNames are the members of a signed object that are not payload.
var headerNames = []string{"id", "source", "type", "time", "sequence", "bootid", "uptimems", "clocktrusted", "prev"}

// readHeader is the inverse of attributes, and reads prev if it is there.
func readHeader(o object) (Header, error) {
	var a attributes
	var prev string
	for _, m := range []struct {
		name string
		into any
	}{
		{"id", &a.ID}, {"source", &a.Source}, {"type", &a.Type}, {"time", &a.Time}, {"sequence", &a.Sequence},
		{"bootid", &a.BootID}, {"uptimems", &a.UptimeMS}, {"clocktrusted", &a.ClockTrusted},
	} {
		if err := o.read(m.name, m.into); err != nil {
			return Header{}, err
		}
	}
	if o.get("prev") != nil {
		if err := o.read("prev", &prev); err != nil {
			return Header{}, err
		}
	}
	h := Header{ID: a.ID, Type: a.Type, BootID: a.BootID, ClockTrusted: a.ClockTrusted}
	var ok bool
	if h.Kiosk, ok = strings.CutPrefix(a.Source, sourcePrefix); !ok {
		return Header{}, errors.New("source is no kiosk")
	}
	var err error
	if h.Time, err = time.Parse(timeFormat, a.Time); err != nil {
		return Header{}, errors.New("time is not of the form " + timeFormat)
	}
	if h.Sequence, err = strconv.ParseUint(a.Sequence, 10, 64); err != nil || len(a.Sequence) != 20 {
		return Header{}, errors.New("sequence is no number of 20 digits")
	}
	ms, err := strconv.ParseInt(a.UptimeMS, 10, 64)
	if err != nil || ms > int64(maxUptime/time.Millisecond) {
		return Header{}, errors.New("uptimems is no number of milliseconds")
	}
	h.Uptime = time.Duration(ms) * time.Millisecond
	if prev != "" {
		if h.Prev, err = base64.RawURLEncoding.Strict().DecodeString(prev); err != nil {
			return Header{}, errors.New("prev is not base64url")
		}
	}
	return h, nil
}

const maxUptime = time.Duration(1<<63 - 1)
