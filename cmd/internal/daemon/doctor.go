package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"time"
)

// Doctor examines this kiosk and returns a checkup.Report in JSON.
type Doctor func(ctx context.Context) (report []byte, err error)

// KioskctlDoctor runs "kioskctl doctor". It is a process of its own, so that a check that hangs
// does not disturb the visits.
func KioskctlDoctor(config string) Doctor {
	return func(ctx context.Context) ([]byte, error) {
		report, err := exec.CommandContext(ctx, "kioskctl", "doctor", "--json", "--config", config).Output()
		if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == 1 && len(report) > 0 {
			err = nil // a check has failed
		}
		if err != nil {
			return nil, fmt.Errorf("cannot run kioskctl doctor: %w", err)
		}
		return report, nil
	}
}

const (
	doctorTime  = 5 * time.Minute // for all checks, each of which has a limit
	doctorRetry = time.Minute     // after the answer could not be sent
)

// answerQuestions answers the questions of the policies until ctx ends.
func (d *Daemon) answerQuestions(ctx context.Context) {
	answered := ""
	for {
		var question string
		select {
		case <-ctx.Done():
			return
		case question = <-d.questions:
		}
		for question != "" && question != answered && ctx.Err() == nil {
			err := d.answer(ctx, question)
			if err == nil {
				answered = question
				break
			}
			d.log.Warn("cannot tell the hub what doctor finds", "err", err)
			select { // a newer policy may have another question, or none
			case question = <-d.questions:
			case <-time.After(doctorRetry):
			case <-ctx.Done():
			}
		}
	}
}

func (d *Daemon) answer(ctx context.Context, question string) error {
	ctx, cancel := context.WithTimeout(ctx, doctorTime)
	defer cancel()
	report, err := d.doctor(ctx)
	if err != nil {
		return err
	}
	if err := d.client.Doctor(ctx, question, json.RawMessage(report)); err != nil {
		return err
	}
	d.log.Info("the hub has asked what doctor finds, and has the report")
	return nil
}
