// Package event makes and reads events: the signed and sealed records of what the
// backend must know, above all every outcome that a kiosk showed to a person.
//
// An event is a CloudEvent 1.0 in structured JSON whose data is a JWE in
// compact serialisation (RFC 7516: ECDH-ES+A256KW, A256GCM, to the hub's
// sealing key) of a JWS (RFC 7515: ES256, by the kiosk's device key). The JWS signs
// one JSON object with the header, the link to the previous event and the payload.
// So an event is confidential, authentic and in its place:
//
//   - a stolen SD card shows when something happened, but not who was involved;
//   - the signed header must equal the CloudEvent's attributes;
//   - each event holds the SHA-256 of the previous event's JWS.
//
// EVENTS.md lists the types and their payloads.
package event

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
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

// MaxSize is the maximum size of an event in bytes. Every CloudEvents intermediary
// must forward events up to this size (CloudEvents 1.0 §size limits).
const MaxSize = 64 << 10

// LinkSize is the size in bytes of the link from an event to the previous one.
const LinkSize = sha256.Size

// Header identifies an event. It stays readable on the kiosk.
type Header struct {
	ID           string        // a UUIDv7, see NewID
	Kiosk        string        // set by Seal
	Epoch        string        // of the kiosk's outbox, see the type Epoch; "" in events of older programs
	Sequence     uint64        // 1, 2, 3 … per epoch, without a gap
	Type         string        // one of Types
	Time         time.Time     // by the kiosk's clock, in UTC, to the millisecond
	BootID       string        // identifies the run of the machine (Linux: random/boot_id)
	Uptime       time.Duration // since that boot, to the millisecond
	ClockTrusted bool          // the clock was synchronised
	Prev         []byte        // link to the previous event, LinkSize bytes; nil for the first event of an outbox, and where it is unknown: see Epoch.Vouches, TypeLost and TypeParked
}

// Link returns what the event after jws must have as Prev: the SHA-256 of the
// compact serialisation.
func Link(jws string) []byte { return link([]byte(jws)) }

func link(jws []byte) []byte {
	sum := sha256.Sum256(jws)
	return sum[:]
}

// NewID makes a UUIDv7 (RFC 9562 §5.7) from a time and 10 bytes of random.
// uuid.NewV7FromReader would read the machine's clock instead.
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

// NewEpoch makes an epoch's ID from 8 bytes of random: 16 hexadecimal digits.
func NewEpoch(random io.Reader) (string, error) {
	var b [8]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", fmt.Errorf("cannot make an epoch's id: %w", err)
	}
	return hex.EncodeToString(b[:]), nil
}

// The times that an event can hold, to the millisecond.
var (
	MinTime = time.Unix(0, 0).UTC()
	MaxTime = time.Date(9999, 12, 31, 23, 59, 59, int(999*time.Millisecond), time.UTC)
)

const (
	// SourcePrefix comes before the kiosk's name in the source of its events.
	SourcePrefix = "urn:smartkiosk:kiosk:"
	timeFormat   = "2006-01-02T15:04:05.000Z"
)

var typeForm = regexp.MustCompile(`^smartkiosk\.[a-z][a-z0-9-]*\.v[1-9][0-9]*$`)

// The other forms have a bounded length, for which a compiled expression takes 30 KB of a
// kiosk's memory.
const lettersAndDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

func isKiosk(s string) bool {
	return isOf(s, lettersAndDigits+"._-", 63) && !strings.ContainsRune("._-", rune(s[0]))
}

func isBootID(s string) bool { return isOf(s, lettersAndDigits+"-", 64) }

func isEpoch(s string) bool { return len(s) == 16 && strings.Trim(s, "0123456789abcdef") == "" }

// isOf reports whether s consists of 1 to most characters of the set.
func isOf(s, set string, most int) bool {
	return s != "" && len(s) <= most && strings.Trim(s, set) == ""
}

// check returns why a header must not be sealed, or cannot have been sealed by a
// kiosk.
func (h Header) check() error {
	switch id, err := uuid.Parse(h.ID); {
	case err != nil || id.Version() != 7 || id.String() != h.ID:
		return errors.New("id is not a UUIDv7")
	case !isKiosk(h.Kiosk):
		return errors.New("source is not a kiosk")
	case !typeForm.MatchString(h.Type) || madeByHub(h.Type):
		return errors.New("type is not an event type of kiosks")
	case h.Epoch != "" && !isEpoch(h.Epoch):
		return errors.New("epoch is not 16 hexadecimal digits")
	case h.Sequence == 0:
		return errors.New("sequence is 0")
	case h.Type == TypeEpoch && (h.Epoch == "" || h.Sequence != 1):
		return errors.New("only the first event of an epoch announces it")
	case h.Type != TypeEpoch && !standsIn(h.Type) && h.Epoch != "" && h.Sequence == 1:
		return errors.New("the first event of an epoch does not announce it")
	case h.Time.Before(MinTime) || h.Time.After(MaxTime):
		return errors.New("time is outside 1970 to 9999")
	case !isBootID(h.BootID):
		return errors.New("bootid is missing or malformed")
	case h.Uptime < 0:
		return errors.New("uptimems is negative")
	case h.Sequence == 1 && h.Epoch == "" && len(h.Prev) != 0:
		return errors.New("prev is set at sequence 1")
	case len(h.Prev) != LinkSize && !((h.Sequence == 1 || standsIn(h.Type)) && len(h.Prev) == 0):
		return errors.New("prev is not a link of 32 bytes")
	}
	return nil
}

// attributes is a header in the form of CloudEvents. The CloudEvents sequence
// extension requires Sequence to be a string that sorts like the number. UptimeMS
// is a string because a CloudEvents Integer would overflow after 24 days.
type attributes struct {
	ID           string `json:"id"`
	Source       string `json:"source"`
	Type         string `json:"type"`
	Time         string `json:"time"`
	Epoch        string `json:"epoch,omitempty"`
	Sequence     string `json:"sequence"`
	BootID       string `json:"bootid"`
	UptimeMS     string `json:"uptimems"`
	ClockTrusted bool   `json:"clocktrusted"`
}

func (h Header) attributes() attributes {
	return attributes{
		ID:           h.ID,
		Source:       SourcePrefix + h.Kiosk,
		Type:         h.Type,
		Time:         h.Time.UTC().Format(timeFormat),
		Epoch:        h.Epoch,
		Sequence:     fmt.Sprintf("%020d", h.Sequence),
		BootID:       h.BootID,
		UptimeMS:     strconv.FormatInt(h.Uptime.Milliseconds(), 10),
		ClockTrusted: h.ClockTrusted,
	}
}

// same reports whether two headers have the same attributes.
func (h Header) same(o Header) bool {
	return h.ID == o.ID && h.Kiosk == o.Kiosk && h.Type == o.Type && h.Time.Equal(o.Time) && h.Epoch == o.Epoch && h.Sequence == o.Sequence &&
		h.BootID == o.BootID && h.Uptime == o.Uptime && h.ClockTrusted == o.ClockTrusted
}

// headerNames lists the members of a signed object that are not part of the payload.
var headerNames = []string{"id", "source", "type", "time", "epoch", "sequence", "bootid", "uptimems", "clocktrusted", "prev"}

// readHeader is the inverse of attributes. It also reads prev if that is present. An event
// without an epoch is of an older program.
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
	if o.get("epoch") != nil {
		if err := o.read("epoch", &a.Epoch); err != nil {
			return Header{}, err
		}
		if a.Epoch == "" {
			return Header{}, errors.New("epoch is empty")
		}
	}
	if o.get("prev") != nil {
		if err := o.read("prev", &prev); err != nil {
			return Header{}, err
		}
	}
	h := Header{ID: a.ID, Type: a.Type, Epoch: a.Epoch, BootID: a.BootID, ClockTrusted: a.ClockTrusted}
	var ok bool
	if h.Kiosk, ok = strings.CutPrefix(a.Source, SourcePrefix); !ok {
		return Header{}, errors.New("source is not a kiosk")
	}
	var err error
	if h.Time, err = time.Parse(timeFormat, a.Time); err != nil {
		return Header{}, errors.New("time is not of the form " + timeFormat)
	}
	if h.Sequence, err = strconv.ParseUint(a.Sequence, 10, 64); err != nil || len(a.Sequence) != 20 {
		return Header{}, errors.New("sequence is not a number of 20 digits")
	}
	ms, err := strconv.ParseInt(a.UptimeMS, 10, 64)
	if err != nil || ms > int64(maxUptime/time.Millisecond) {
		return Header{}, errors.New("uptimems is not a number of milliseconds")
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
