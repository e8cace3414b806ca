package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"smartkiosk/kiosk/protocol/event"
)

// alarmAboutDisk raises an alarm about a disk that has reached a level. It does not wait for
// the store.
func (h *Hub) alarmAboutDisk(level int, s space) {
	detail := fmt.Sprintf("%d %% of the hub's disk are used, %d MiB are free", s.percent(), s.free>>20)
	if level == diskFull {
		detail += "; the hub stores no more events, and the kiosks keep theirs"
	}
	h.alarmAboutItself(fmt.Sprint("disk ", level), event.Alarm{Kind: event.AlarmDisk, Level: level, Detail: detail})
}

// alarmAboutPause raises an alarm after the hub could not write for a while.
func (h *Hub) alarmAboutPause(fault string, since, until time.Time) {
	h.alarmAboutItself("disk "+until.String(), event.Alarm{Kind: event.AlarmDisk, Detail: fmt.Sprintf(
		"the hub wrote nothing from %s to %s, because %s", since.UTC().Format(time.RFC3339), until.UTC().Format(time.RFC3339), fault)})
}

// alarmAboutItself raises an alarm about the hub without waiting for the store. Alarms with the
// same id are stored once; see alarm.
func (h *Hub) alarmAboutItself(id string, a event.Alarm) {
	h.running.Go(func() {
		if err := h.alarm(context.Background(), id, a); err != nil {
			h.log.Error("cannot store an alarm", "kind", a.Kind, "reason", a.Detail, "err", err)
		}
	})
}

// alarmedLevel returns for which level of the disk there is an alarm, so that a start does not
// raise it again.
func (h *Hub) alarmedLevel(ctx context.Context) (int, error) {
	msg, _, err := h.events.last(ctx, ownAlarms(event.AlarmDisk))
	if err != nil || msg == nil {
		return 0, err
	}
	var last struct {
		Data event.Alarm `json:"data"`
	}
	_ = json.Unmarshal(msg.Data, &last) // a damaged alarm counts as none
	return last.Data.Level, nil
}
