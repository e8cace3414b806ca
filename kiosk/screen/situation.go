package screen

import "smartkiosk/kiosk"

// situation is what one text is about: a screen, or a case of a screen that needs
// its own text. Its values are the names of the tables in texts/.
type situation string

// tones maps every situation to the tone in which a panel shows it, and with it the lamp.
// A wrong PIN has the tone of a denial: a bystander must not be able to tell a wrong PIN
// from a person who has no access here.
var tones = map[situation]string{
	"welcome":              "neutral",
	"welcome-recorded":     "attention",
	"welcome-phone":        "neutral",
	"welcome-hosted":       "neutral",
	"hosted":               "neutral",
	"hosted-leave":         "attention",
	"no-phone":             "attention",
	"privacy":              "neutral",
	"reading":              "busy",
	"pin":                  "neutral",
	"pin-last":             "attention",
	"pin-slow":             "attention",
	"pin-tries":            "attention",
	"pin-short":            "attention",
	"pin-long":             "attention",
	"pin-leave":            "attention",
	"pin-reader":           "neutral",
	"pin-reader-last":      "attention",
	"pin-reader-slow":      "attention",
	"wrong-pin":            "bad",
	"wrong-pin-reader":     "bad",
	"wrong-pin-tries":      "bad",
	"wrong-pin-last":       "bad",
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
	"failed-retry":         "attention",
	"cancelled":            "neutral",
	"timed-out":            "neutral",
	"phone-link":           "neutral",
	"phone-login":          "neutral",
	"phone-digits":         "neutral",
	"phone-digits-wrong":   "bad",
	"phone-digits-last":    "bad",
	"login-checking":       "busy",
	"login-granted":        "good",
	"login-test":           "attention",
	"login-again":          "bad",
	"login-level":          "bad",
	"login-unknown":        "bad",
	"login-digits-wrong":   "bad",
	"login-failed":         "bad",
	"login-no-contact":     "bad",
	"login-cancelled":      "neutral",
	"login-expired":        "neutral",
	"remove-card":          "attention",
	"remove-card-again":    "attention",
	"card-in-use":          "busy",
	"card-in-use-recorded": "attention",
	"out-of-service":       "bad",
	"setup":                "busy",
	"setup-files":          "attention",
	"setup-settings":       "bad",
	"setup-code":           "bad",
	"setup-cable":          "bad",
	"setup-address":        "bad",
	"setup-dns":            "bad",
	"setup-hub":            "bad",
	"setup-ca":             "bad",
	"setup-clock":          "bad",
	"setup-reader":         "bad",
	"menu":                 "neutral",
	"page":                 "attention",
	"old-pin":              "neutral",
	"new-pin":              "neutral",
	"new-pin-again":        "neutral",
	"new-pin-differs":      "attention",
	"new-pin-same":         "attention",
	"puk":                  "neutral",
	"puk-last":             "attention",
	"wrong-puk":            "attention",
	"wrong-puk-tries":      "attention",
	"wrong-puk-last":       "attention",
	"blocked-unblock":      "bad",
	"blocked-page":         "bad",
	"failed-puk-blocked":   "bad",
	"done-choice":          "good",
	"done-change":          "good",
	"done-unblock":         "good",

	"documents":                "neutral",
	"document":                 "neutral",
	"decide":                   "attention",
	"decide-payment":           "attention",
	"decide-order":             "attention",
	"decide-unread":            "attention",
	"sign-pin":                 "neutral",
	"done-signed":              "good",
	"done-refused":             "neutral",
	"failed-no-sign-key":       "bad",
	"failed-sign-pin":          "bad",
	"failed-document-gone":     "bad",
	"failed-document-unshown":  "bad",
	"failed-signature-refused": "bad",
	"failed-not-handed-in":     "bad",
}

// denials groups the reasons of a denial by what the person can do about it. A
// reason that is missing here is shown as "denied".
var denials = map[kiosk.Reason]situation{
	// The staff can tell why.
	kiosk.NotAllowed:     "denied",
	kiosk.RuleDenied:     "denied",
	kiosk.OperatorDenied: "denied",
	kiosk.OutsideHours:   "denied-not-now",

	kiosk.Expired:     "denied-expired",
	kiosk.NotYetValid: "denied-not-yet-valid",
	kiosk.Revoked:     "denied-revoked",
	kiosk.Blocked:     "denied-blocked",

	// Another card may work.
	kiosk.NotTrusted: "denied-other-card",
	kiosk.Policy:     "denied-other-card",
	kiosk.Purpose:    "denied-other-card",
	kiosk.Identifier: "denied-other-card",
	kiosk.Algorithm:  "denied-other-card",
	kiosk.WeakKey:    "denied-other-card",

	// The card is not at fault; a later attempt may work.
	kiosk.RevocationUnknown: "denied-no-contact",
	kiosk.OfflineNever:      "denied-no-contact",
	kiosk.OperatorSilent:    "denied-no-contact",
	kiosk.NotAsked:          "denied-no-contact",
	kiosk.OfflineUnknown:    "denied-no-contact",
	kiosk.OfflineLimit:      "denied-no-contact",
	kiosk.ClockUntrusted:    "denied-no-contact",

	// Waiting does not help; the staff can repair the connection.
	kiosk.OfflineExpired: "denied-rules-expired",

	// The same card may work at the next attempt.
	kiosk.Parse:        "denied-try-again",
	kiosk.Format:       "denied-try-again",
	kiosk.Signature:    "denied-try-again",
	kiosk.NonceUnknown: "denied-try-again",
	kiosk.NonceExpired: "denied-try-again",
	kiosk.NonceUsed:    "denied-try-again",
	kiosk.NonceForeign: "denied-try-again",
}

// failures does the same for failed visits. A reason that is missing here is shown
// as "failed", which says that the kiosk is at fault.
var failures = map[kiosk.Reason]situation{
	kiosk.CardMute:       "failed-reversed",
	kiosk.CardUnknown:    "failed-unknown-card",
	kiosk.CardUnreadable: "failed-unreadable",
	kiosk.CardTimeout:    "failed-unreadable",
	kiosk.CardInactive:   "failed-inactive",
	kiosk.CardRetry:      "failed-retry",
	kiosk.Blocked:        "denied-blocked", // during a service
	kiosk.PUKBlocked:     "failed-puk-blocked",

	kiosk.NoSignKey:        "failed-no-sign-key",
	kiosk.SignPINBlocked:   "failed-sign-pin",
	kiosk.DocumentGone:     "failed-document-gone",
	kiosk.DocumentUnshown:  "failed-document-unshown",
	kiosk.SignatureRefused: "failed-signature-refused",
	kiosk.SigningTime:      "failed-signature-refused",
	kiosk.OtherHolder:      "failed-signature-refused",

	kiosk.HubRefused:   "failed",
	kiosk.HubSilent:    "failed",
	kiosk.ReaderLost:   "failed",
	kiosk.DisplayLost:  "failed",
	kiosk.KeypadLost:   "failed",
	kiosk.DoorLost:     "failed",
	kiosk.OutboxFailed: "failed",
	kiosk.OutboxFull:   "failed",
	kiosk.Stopped:      "failed",
	kiosk.Internal:     "failed",
}

// logins does the same for logins by phone, whatever their outcome: nobody has to take a
// card.
var logins = map[kiosk.Reason]situation{
	kiosk.LoginState:     "login-again",
	kiosk.LoginToken:     "login-again",
	kiosk.LoginLevel:     "login-level",
	kiosk.LoginSubject:   "login-unknown",
	kiosk.LoginDigits:    "login-digits-wrong",
	kiosk.LoginSandbox:   "login-failed",
	kiosk.LoginRefused:   "login-failed",
	kiosk.BrokerAnswer:   "login-failed",
	kiosk.PageRefused:    "login-failed",
	kiosk.BrowserLost:    "login-failed",
	kiosk.BrokerDown:     "login-no-contact",
	kiosk.NoHub:          "login-no-contact",
	kiosk.LoginCancelled: "login-cancelled",
	kiosk.LoginExpired:   "login-expired",
}

// situationOf returns the situation of a screen. An unknown screen is shown as out
// of service, which is the safest text.
func situationOf(s kiosk.Screen) situation {
	if to, ok := logins[s.Reason]; ok {
		return to
	}
	switch s.ID {
	case kiosk.ScreenWelcome, kiosk.ScreenCardInUse:
		if s.Recorded {
			return situation(s.ID) + "-recorded"
		}
		if s.Hosted && s.ID == kiosk.ScreenWelcome {
			return "welcome-hosted"
		}
		if s.ByPhone && s.ID == kiosk.ScreenWelcome {
			return "welcome-phone"
		}
	case kiosk.ScreenPIN:
		return pinSituation(s)
	case kiosk.ScreenHosted:
		if s.Notice == kiosk.NoticeLeave {
			return "hosted-leave"
		}
	case kiosk.ScreenLink, kiosk.ScreenOnPhone, kiosk.ScreenDigits:
		return phoneSituation(s)
	case kiosk.ScreenChecking:
		if s.ByPhone {
			return "login-checking"
		}
	case kiosk.ScreenMenu, kiosk.ScreenPage, kiosk.ScreenDocuments, kiosk.ScreenDocument:
		if s.TimeShort {
			return "pin-slow"
		}
	case kiosk.ScreenDecide:
		return decideSituation(s)
	case kiosk.ScreenDone:
		if s.Decision == kiosk.DecisionRefused {
			return "done-refused"
		}
		if to, ok := dones[s.Service]; ok {
			return to
		}
	case kiosk.ScreenRemoveCard:
		if s.Insistent {
			return "remove-card-again"
		}
	case kiosk.ScreenSetup:
		if to := "setup-" + situation(s.Setup); tones[to] != "" {
			return to
		}
	case kiosk.ScreenGranted:
		switch {
		case s.Sandbox:
			return "login-test"
		case s.ByPhone:
			return "login-granted"
		}
		if s.Offline {
			return "granted-offline"
		}
	case kiosk.ScreenDenied, kiosk.ScreenFailed:
		if to, ok := unblocks[s.Unblock]; ok && s.Reason == kiosk.Blocked {
			return to
		}
	}
	switch s.ID {
	case kiosk.ScreenDenied:
		if to, ok := denials[s.Reason]; ok {
			return to
		}
	case kiosk.ScreenFailed:
		if s.Decision != "" && s.Reason != kiosk.SignatureRefused && s.Reason != kiosk.DocumentGone {
			return "failed-not-handed-in"
		}
		if to, ok := failures[s.Reason]; ok {
			return to
		}
	}
	if _, ok := tones[situation(s.ID)]; !ok {
		return "out-of-service"
	}
	return situation(s.ID)
}

// unblocks are the texts for a blocked PIN that the holder can unblock.
var unblocks = map[kiosk.Way]situation{kiosk.AtKiosk: "blocked-unblock", kiosk.OnPage: "blocked-page"}

// dones are the texts for completed services.
var dones = map[kiosk.Service]situation{
	kiosk.ServiceChoice:  "done-choice",
	kiosk.ServiceChange:  "done-change",
	kiosk.ServiceUnblock: "done-unblock",

	kiosk.ServiceDocument: "done-signed",
}

// decideSituation returns the text of the question whether to sign a document.
func decideSituation(s kiosk.Screen) situation {
	switch {
	case s.TimeShort:
		return "pin-slow"
	case !s.Read:
		return "decide-unread"
	case s.Kind == kiosk.PaymentDocument:
		return "decide-payment"
	case s.Kind == kiosk.OrderDocument:
		return "decide-order"
	}
	return "decide"
}

// codeSituation returns the text for a code that is not the PIN of the login, or "" if
// the text is that of the login.
func codeSituation(s kiosk.Screen) situation {
	last := s.TriesKnown && s.Tries == 1
	switch {
	case s.Asks == kiosk.CodeSign && !s.WrongPIN && !last:
		return "sign-pin"
	case s.Notice == kiosk.NoticeDiffers && s.Typed == 0:
		return "new-pin-differs"
	case s.Notice == kiosk.NoticeSame && s.Typed == 0:
		return "new-pin-same"
	case s.Asks == kiosk.CodeNew:
		return "new-pin"
	case s.Asks == kiosk.CodeRepeat:
		return "new-pin-again"
	case s.Asks == kiosk.CodePUK && last && s.WrongPIN && s.Typed == 0:
		return "wrong-puk-last"
	case s.Asks == kiosk.CodePUK && last:
		return "puk-last"
	case s.Asks == kiosk.CodePUK && s.WrongPIN && s.TriesKnown && s.Typed > 0:
		return "pin-tries"
	case s.Asks == kiosk.CodePUK && s.WrongPIN && s.TriesKnown:
		return "wrong-puk-tries"
	case s.Asks == kiosk.CodePUK && s.WrongPIN && s.Typed == 0:
		return "wrong-puk"
	case s.Asks == kiosk.CodePUK:
		return "puk"
	case s.Asks == kiosk.CodeOld && !s.WrongPIN && !last:
		return "old-pin"
	}
	return ""
}

func pinSituation(s kiosk.Screen) situation {
	last := s.TriesKnown && s.Tries == 1
	code := codeSituation(s)
	switch {
	case s.Notice == kiosk.NoticeLeave:
		return "pin-leave"
	case s.TimeShort && s.OnReader:
		return "pin-reader-slow"
	case s.TimeShort:
		return "pin-slow"
	case s.Notice == kiosk.NoticeTooShort:
		return "pin-short"
	case s.Notice == kiosk.NoticeTooLong:
		return "pin-long"
	case code != "":
		return code
	case s.WrongPIN && s.Typed > 0 && !last && s.TriesKnown:
		return "pin-tries"
	case s.WrongPIN && s.Typed > 0 && !last:
		return "pin"
	case s.WrongPIN && s.Typed > 0:
		return "pin-last"
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
