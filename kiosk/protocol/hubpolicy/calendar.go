package hubpolicy

import (
	"fmt"
	"time"
)

// Calendar is the time during which a rule applies.
type Calendar struct {
	Zone     string         `json:"zone,omitempty"`     // IANA name of the time zone; needed for Weekdays and Hours
	Weekdays []time.Weekday `json:"weekdays,omitempty"` // empty means every day
	Hours    []Span         `json:"hours,omitempty"`    // empty means the whole day
	From     time.Time      `json:"from,omitzero"`      // zero means no begin
	Until    time.Time      `json:"until,omitzero"`     // exclusive; zero means no end

	zone *time.Location // set by Prepare
}

// Span is a time of day in minutes since midnight; To is exclusive. A span that crosses
// midnight has To <= From and belongs to the day on which it begins.
type Span struct {
	From int `json:"from"`
	To   int `json:"to"`
}

// Prepare loads the time zone. Before it is called, and after it has failed, InHours
// returns true at all times.
func (c *Calendar) Prepare() error {
	if c.Weekdays == nil && c.Hours == nil {
		return nil
	}
	zone, err := time.LoadLocation(c.Zone)
	// "Local" would mean another zone on each machine.
	if err != nil || c.Zone == "" || c.Zone == "Local" {
		return fmt.Errorf("time zone %q is unknown", c.Zone)
	}
	c.zone = zone
	return nil
}

// Valid reports whether a time lies between From and Until.
func (c Calendar) Valid(at time.Time) bool {
	return !at.Before(c.From) && (c.Until.IsZero() || at.Before(c.Until))
}

// InHours reports whether the rule applies at this weekday and hour. Hours are local time:
// an hour that is repeated at the end of summer time counts twice, and an hour that is
// skipped at its beginning never comes.
func (c Calendar) InHours(at time.Time) bool {
	if c.zone == nil {
		return true
	}
	at = at.In(c.zone)
	today, minute := at.Weekday(), at.Hour()*60+at.Minute()
	if c.Hours == nil {
		return c.on(today)
	}
	for _, s := range c.Hours {
		switch overMidnight := s.To <= s.From; {
		case c.on(today) && minute >= s.From && (overMidnight || minute < s.To),
			c.on((today+6)%7) && overMidnight && minute < s.To:
			return true
		}
	}
	return false
}

func (c Calendar) on(day time.Weekday) bool {
	for _, d := range c.Weekdays {
		if d == day {
			return true
		}
	}
	return c.Weekdays == nil
}
