//go:build linux

package main

import (
	"context"

	"smartkiosk/cmd/internal/daemon"
	"smartkiosk/kiosk/protocol/event"
)

// update shows what became of the newest version of the system.
func (d *doctor) update(ctx context.Context) diagnosis {
	var s daemon.Status
	if _, err := liveKiosk(d.socket()).get(ctx, "/v1/status", &s); err != nil {
		return diagnose(stateUnknown, "%v", err)
	}
	u := s.Update
	switch {
	case u == nil:
		return diagnose(stateUnknown, "this kioskd does not look after updates")
	case u.Absent && u.Problem != "":
		return diagnose(stateUnknown, "%s", u.Problem)
	case u.Absent && u.Offered != "":
		return diagnose(stateWarning, "the hub offers the system %s, but this machine has no RAUC", u.Offered).Advise("update it with its packages, or make an SD card from the image")
	case u.Absent:
		return diagnose(stateOK, "none through the hub: this machine has no RAUC, so its updates are packages")
	case u.Result == event.UpdateRefused || u.Result == event.UpdateFellBack:
		return diagnose(stateFailed, "the kiosk did not keep the system it was offered (%s, %s): %s", u.Result, u.Reason, u.Problem).Advise("%s", updateAdvice[u.Reason])
	case u.Problem != "":
		return diagnose(stateWarning, "system %s; the update waits (%s): %s", u.Version, u.Step, u.Problem).Advise("kioskd tries again by itself")
	case u.Step == "fetching":
		return diagnose(stateOK, "system %s; %s is being fetched, %d of %d bytes", u.Version, u.Offered, u.Fetched, u.Size)
	case u.Step == "installed":
		return diagnose(stateWarning, "system %s is on trial", u.Version).Advise("leave the machine on: within 30 minutes it keeps this system, or goes back to the one before")
	case u.Step != "" && u.Step != "ended":
		return diagnose(stateOK, "system %s; %s is ready to be installed (%s)", u.Version, u.Offered, u.Step)
	}
	return diagnose(stateOK, "system %s", u.Version)
}

// updateAdvice says what to do about each reason.
var updateAdvice = map[event.UpdateReason]string{
	event.UpdateAltered:   "tell the operator: the hub's bundle is damaged, or somebody has changed it on the way",
	event.UpdateSignature: "tell the operator: the bundle must be signed with the key of the certificate in /etc/rauc/keyring.pem",
	event.UpdateOlder:     "tell the operator: a kiosk installs only newer versions",
	event.UpdateBoard:     "tell the operator: this kiosk is in a ring of an update for another kind of machine",
	event.UpdateTooLarge:  "see space above; a larger SD card helps",
	event.UpdateInstall:   "journalctl -u rauc says why; see storage above",
	event.UpdateBoot:      "tell the operator; the kiosk works with the system that it had before",
	event.UpdateUnhealthy: "tell the operator; the kiosk works with the system that it had before",
}
