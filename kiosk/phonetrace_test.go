package kiosk_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"smartkiosk/kiosk"
)

// link is that of every login by phone in the traces.
const link = "HTTPS://LOGIN.EXAMPLE/ABC234"

// parsePhone reads the event lines of logins by phone:
//
//	phone v1                             the key that begins one
//	hosted on, hosted off                whether there is a browser for hosted pages
//	hosted v1                            the key that begins a login on a hosted page
//	hosted-failed v1 REASON
//	login v1 STATE [wrong N] [sandbox]   the hub reports a state
//	login v1 ended OUTCOME [REASON] [sandbox]
func (tr *trace) parsePhone(w []string) ([]kiosk.Event, error) {
	switch {
	case w[0] == "phone" && len(w) == 2:
		return []kiosk.Event{kiosk.LoginWanted{Visit: w[1]}}, nil
	case w[0] == "hosted" && len(w) == 2:
		if on := w[1] == "on"; on || w[1] == "off" {
			return []kiosk.Event{kiosk.HostedSet{Ready: on}}, nil
		}
		return []kiosk.Event{kiosk.HostedWanted{Visit: w[1]}}, nil
	case w[0] == "hosted-failed" && len(w) == 3:
		return []kiosk.Event{kiosk.HostedFailed{Visit: w[1], Question: tr.question, Reason: kiosk.Reason(w[2])}}, nil
	case w[0] != "login" || len(w) < 3:
		return nil, fmt.Errorf("unknown event %q", strings.Join(w, " "))
	}
	l := kiosk.PhoneLogin{ID: "login1", State: kiosk.PhoneState(w[2]), Link: link, Within: time.Minute, Sandbox: slices.Contains(w, "sandbox")}
	if i := slices.Index(w, "wrong"); i > 0 {
		l.Wrong, _ = strconv.Atoi(w[i+1])
	}
	if l.State == kiosk.PhoneEnded {
		l.Within, l.Outcome = 0, kiosk.Outcome(w[3])
		if len(w) > 4 && w[4] != "sandbox" {
			l.Reason = kiosk.Reason(w[4])
		}
		if l.Outcome == kiosk.Granted || l.Outcome == kiosk.Denied && l.Reason != kiosk.LoginDigits {
			l.Holder = kari
		}
	}
	return []kiosk.Event{kiosk.LoginChanged{Visit: w[1], Question: tr.question, Login: l}}, nil
}

// describePhone returns an effect of a login by phone in the format of the traces.
func describePhone(e kiosk.Effect) string {
	switch e := e.(type) {
	case kiosk.BeginLogin:
		return fmt.Sprintf("begin-login %s %s", e.Visit, e.Language)
	case kiosk.AwaitLogin:
		return fmt.Sprintf("await-login %s %s since=%s", e.Visit, e.Login, e.Since)
	case kiosk.TypeDigits:
		return fmt.Sprintf("type-digits %s %s %v", e.Visit, e.Login, e.Digits)
	case kiosk.LogInHosted:
		return fmt.Sprintf("log-in-hosted %s %s", e.Visit, e.Language)
	case kiosk.TypeHosted:
		return fmt.Sprintf("type-hosted %v", e.Key)
	case kiosk.CancelLogin:
		return "cancel-login " + e.Login
	}
	return fmt.Sprintf("%T", e)
}
