package hub

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/kiosk/protocol/event"
)

const (
	alarmsSubject = "smartkiosk.alarms." // + the kiosk's ID, or "_" and the kind of an alarm about the hub itself
	marksBucket   = "smartkiosk-marks"   // kiosk → Mark
)

// Mark says that a kiosk did something that an honest kiosk does not do, or that it decided
// differently from the hub. The operator decides what to do about it.
type Mark struct {
	Alarms int       `json:"alarms"` // how many there were
	Last   time.Time `json:"last"`
	Kind   string    `json:"kind"` // of the last alarm
	Detail string    `json:"detail"`
}

// attachMarks opens the bucket of marks, or creates it.
func (h *Hub) attachMarks(ctx context.Context) (err error) {
	h.marks, err = openMarks(ctx, h.js)
	return err
}

func openMarks(ctx context.Context, js jetstream.JetStream) (jetstream.KeyValue, error) {
	return js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: marksBucket, Storage: jetstream.FileStorage})
}

// alarm stores an alarm event and marks the kiosk. Alarms with the same id within two
// minutes (JetStream's duplicate window) are stored once.
func (h *Hub) alarm(ctx context.Context, id string, a event.Alarm) error {
	subject := alarmsSubject + a.Kiosk
	if a.Kiosk == "" {
		subject = ownAlarms(a.Kind)
	}
	h.log.Warn("alarm", "kiosk", a.Kiosk, "kind", a.Kind, "reason", a.Detail, "visit", a.Visit)
	eventID, err := event.NewID(h.now(), h.rand)
	if err != nil {
		return err
	}
	text, err := event.ByTheHub(eventID, event.TypeAlarm, h.now(), a)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	ack, err := h.js.Publish(ctx, subject, text, jetstream.WithMsgID(id))
	if err != nil {
		return storeError{err}
	}
	if ack.Duplicate || a.Kiosk == "" {
		return nil
	}
	return h.mark(ctx, a)
}

// ownAlarms is the subject of the alarms of a kind about the hub itself. No kiosk's ID begins
// with "_".
func ownAlarms(kind string) string { return alarmsSubject + "_" + kind }

// mark counts an alarm in the kiosk's mark.
func (h *Hub) mark(ctx context.Context, a event.Alarm) error {
	for {
		m, revision, err := h.markOf(ctx, a.Kiosk)
		if err != nil {
			return err
		}
		text, err := json.Marshal(Mark{Alarms: m.Alarms + 1, Last: h.now().UTC(), Kind: a.Kind, Detail: a.Detail})
		if err != nil {
			return err
		}
		_, err = h.marks.Update(ctx, a.Kiosk, text, revision)
		if errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
			continue // another hub has counted an alarm
		}
		if err != nil {
			return storeError{err}
		}
		return nil
	}
}

// markOf returns a kiosk's mark, and the revision of the bucket's entry. A kiosk without
// alarms has the zero Mark.
func (h *Hub) markOf(ctx context.Context, kioskID string) (m Mark, revision uint64, err error) {
	entry, err := h.marks.Get(ctx, kioskID)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return Mark{}, 0, nil
	}
	if err != nil {
		return Mark{}, 0, storeError{err}
	}
	_ = json.Unmarshal(entry.Value(), &m) // a damaged mark counts as none
	return m, entry.Revision(), nil
}
