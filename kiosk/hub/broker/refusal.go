package broker

import (
	"errors"
	"fmt"

	"smartkiosk/kiosk"
)

// Refusal is the error that a login was not successful. Err is for the log: it holds no
// personal data, no token and no secret.
type Refusal struct {
	Reason kiosk.Reason
	Err    error
}

func (r *Refusal) Error() string { return string(r.Reason) + ": " + r.Err.Error() }
func (r *Refusal) Unwrap() error { return r.Err }

func refuse(reason kiosk.Reason, format string, args ...any) error {
	return &Refusal{reason, fmt.Errorf(format, args...)}
}

// OutcomeOf returns how a visit ends that was refused for a reason of this package.
func OutcomeOf(r kiosk.Reason) kiosk.Outcome {
	switch r {
	case kiosk.LoginCancelled:
		return kiosk.Cancelled
	case kiosk.LoginExpired:
		return kiosk.TimedOut
	case kiosk.BrokerDown, kiosk.BrokerAnswer, kiosk.LoginRefused:
		return kiosk.Failed
	}
	return kiosk.Denied
}

// asRefusal returns err if it holds a Refusal. For any other error it returns other.
func asRefusal(err error, other error) error {
	if r, ok := errors.AsType[*Refusal](err); ok {
		return r
	}
	return other
}
