package screen

import "smartkiosk/kiosk"

// situation is what one text is about: a screen, parted further where a person
// is to be told something else. Its values are the table names in texts/.
type situation string

// tones is every situation and the mood in which a panel shows it.
var tones = map[situation]string{
	"welcome":              "neutral",
	"reading":              "busy",
	"pin":                  "neutral",
	"pin-last":             "attention",
	"pin-slow":             "attention",
	"pin-reader":           "neutral",
	"pin-reader-last":      "attention",
	"pin-reader-slow":      "attention",
	"wrong-pin":            "attention",
	"wrong-pin-reader":     "attention",
	"wrong-pin-tries":      "attention",
	"wrong-pin-last":       "attention",
	"checking":             "busy",
	"granted":              "good",
	"granted-offline":      "good",
	"denied":               "bad",
	"denied-not-now":       "bad",
	"denied-expired":       "bad",
	"denied-not-yet-valid": "bad",
	"denied-revoked":       "bad",
	"denied-blocked":       "bad",
	"denied-other-card":    "bad",
	"denied-no-contact":    "bad",
	"denied-rules-expired": "bad",
	"denied-try-again":     "bad",
	"failed":               "bad",
	"failed-reversed":      "attention",
	"failed-unknown-card":  "attention",
	"failed-unreadable":    "attention",
	"failed-inactive":      "attention",
	"cancelled":            "neutral",
	"timed-out":            "neutral",
	"remove-card":          "attention",
	"out-of-service":       "bad",
}

// denials groups the reasons of a denial by what the person can do about it.
// A reason that is not here is told as "no access here".
var denials = map[kiosk.Reason]situation{
	// Only the staff can tell why.
	kiosk.NotAllowed:     "denied",
	kiosk.RuleDenied:     "denied",
	kiosk.OperatorDenied: "denied",
	kiosk.OutsideHours:   "denied-not-now",

	kiosk.Expired:     "denied-expired",
	kiosk.NotYetValid: "denied-not-yet-valid",
	kiosk.Revoked:     "denied-revoked",
	kiosk.Blocked:     "denied-blocked",

	// Another card may do.
	kiosk.NotTrusted: "denied-other-card",
	kiosk.Policy:     "denied-other-card",
	kiosk.Purpose:    "denied-other-card",
	kiosk.Identifier: "denied-other-card",
	kiosk.Algorithm:  "denied-other-card",
	kiosk.WeakKey:    "denied-other-card",

	// Nothing is wrong with the card; time may help.
	kiosk.RevocationUnknown: "denied-no-contact",
	kiosk.OfflineNever:      "denied-no-contact",
	kiosk.OperatorSilent:    "denied-no-contact",
	kiosk.NotAsked:          "denied-no-contact",
	kiosk.OfflineUnknown:    "denied-no-contact",
	kiosk.OfflineLimit:      "denied-no-contact",
	kiosk.ClockUntrusted:    "denied-no-contact",

	// Waiting does not help; staff can see to the connection.
	kiosk.OfflineExpired: "denied-rules-expired",

	// The same card may do at the next try.
	kiosk.Parse:        "denied-try-again",
	kiosk.Format:       "denied-try-again",
	kiosk.Signature:    "denied-try-again",
	kiosk.NonceUnknown: "denied-try-again",
	kiosk.NonceExpired: "denied-try-again",
	kiosk.NonceUsed:    "denied-try-again",
	kiosk.NonceForeign: "denied-try-again",
}

// failures does the same for visits that failed; what is not here is told as
// our own fault.
var failures = map[kiosk.Reason]situation{
	kiosk.CardMute:       "failed-reversed",
	kiosk.CardUnknown:    "failed-unknown-card",
	kiosk.CardUnreadable: "failed-unreadable",
	kiosk.CardTimeout:    "failed-unreadable",
	kiosk.CardInactive:   "failed-inactive",

	kiosk.ReaderLost:   "failed",
	kiosk.DisplayLost:  "failed",
	kiosk.KeypadLost:   "failed",
	kiosk.DoorLost:     "failed",
	kiosk.OutboxFailed: "failed",
	kiosk.OutboxFull:   "failed",
	kiosk.Stopped:      "failed",
	kiosk.Internal:     "failed",
}

// situationOf parts a screen by its values. A screen that the catalogue does
// not know is out of service: the safest thing to tell.
func situationOf(s kiosk.Screen) situation {
	switch s.ID {
	case kiosk.ScreenPIN:
		return pinSituation(s)
	case kiosk.ScreenGranted:
		if s.Offline {
			return "granted-offline"
		}
	case kiosk.ScreenDenied:
		if to, ok := denials[s.Reason]; ok {
			return to
		}
	case kiosk.ScreenFailed:
		if to, ok := failures[s.Reason]; ok {
			return to
		}
	}
	if _, ok := tones[situation(s.ID)]; !ok {
		return "out-of-service"
	}
	return situation(s.ID)
}

func pinSituation(s kiosk.Screen) situation {
	last := s.TriesKnown && s.Tries == 1
	switch {
	case s.TimeShort && s.OnReader:
		return "pin-reader-slow"
	case s.TimeShort:
		return "pin-slow"
	case s.WrongPIN && last:
		return "wrong-pin-last"
	case s.WrongPIN && s.TriesKnown:
		return "wrong-pin-tries"
	case s.WrongPIN && s.OnReader:
		return "wrong-pin-reader"
	case s.WrongPIN:
		return "wrong-pin"
	case last && s.OnReader:
		return "pin-reader-last"
	case last:
		return "pin-last"
	case s.OnReader:
		return "pin-reader"
	}
	return "pin"
}
