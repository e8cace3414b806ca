package rules

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // a hub may run on a machine without time zone files

	"github.com/pelletier/go-toml/v2"
)

// calendar is the time during which a rule applies.
type calendar struct {
	zone        *time.Location
	days        [7]bool   // by time.Weekday; all true if the rule names no weekday
	spans       []span    // nil means the whole day
	start, stop time.Time // zero means no begin or no end; stop is exclusive
}

// span is a time of day in minutes since midnight; to is exclusive. A span that crosses
// midnight has to <= from and belongs to the day on which it begins.
type span struct{ from, to int }

// valid reports whether a time lies between the rule's begin and end.
func (c calendar) valid(at time.Time) bool {
	return !at.Before(c.start) && (c.stop.IsZero() || at.Before(c.stop))
}

// inHours reports whether the rule applies at this weekday and hour. Hours are local time:
// an hour that is repeated at the end of summer time counts twice, and an hour that is
// skipped at its beginning never comes.
func (c calendar) inHours(at time.Time) bool {
	if c.zone == nil {
		return true
	}
	at = at.In(c.zone)
	today, minute := at.Weekday(), at.Hour()*60+at.Minute()
	yesterday := (today + 6) % 7
	if c.spans == nil {
		return c.days[today]
	}
	for _, s := range c.spans {
		switch overMidnight := s.to <= s.from; {
		case c.days[today] && minute >= s.from && (overMidnight || minute < s.to),
			c.days[yesterday] && overMidnight && minute < s.to:
			return true
		}
	}
	return false
}

// weekdays are the names in the file, in the order of time.Weekday.
var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// readDays reads weekdays, each "mon" or "mon-fri".
func readDays(texts []string) (days [7]bool, err error) {
	for _, text := range texts {
		first, last, isRange := strings.Cut(text, "-")
		if !isRange {
			last = first
		}
		from, to := weekday(first), weekday(last)
		if from < 0 || to < 0 || isRange && from == to {
			return days, fmt.Errorf("weekdays: %q is not a day or a range of days: write \"mon\" or \"mon-fri\"", text)
		}
		for d := from; ; d = (d + 1) % 7 {
			if days[d] {
				return days, fmt.Errorf("weekdays: %q names a day twice", texts)
			}
			days[d] = true
			if d == to {
				break
			}
		}
	}
	return days, nil
}

func weekday(name string) int {
	for i, w := range weekdays {
		if w == name {
			return i
		}
	}
	return -1
}

var hours = regexp.MustCompile(`^([01][0-9]|2[0-4]):([0-5][0-9])-([01][0-9]|2[0-4]):([0-5][0-9])$`)

// readSpan reads "07:00-17:00". A day ends at 24:00.
func readSpan(text string) (span, error) {
	m := hours.FindStringSubmatch(text)
	if m == nil {
		return span{}, fmt.Errorf("hours: %q does not have the form \"07:00-17:00\"", text)
	}
	minutes := func(h, m string) int {
		hour, _ := strconv.Atoi(h)
		minute, _ := strconv.Atoi(m)
		return hour*60 + minute
	}
	s := span{minutes(m[1], m[2]), minutes(m[3], m[4])}
	switch {
	case s.from >= 24*60 || s.to > 24*60:
		return span{}, fmt.Errorf("hours: %q goes past 24:00", text)
	case s.from == s.to:
		return span{}, fmt.Errorf("hours: %q is empty: it begins when it ends", text)
	}
	return s, nil
}

// readMoment reads a date or time of the file. A date means the midnight at its beginning
// or, as an end, the midnight at its end.
func readMoment(v any, zone *time.Location, end bool) (time.Time, error) {
	switch v := v.(type) {
	case nil:
		return time.Time{}, nil
	case time.Time:
		return v, nil
	case toml.LocalDateTime:
		if zone == nil {
			return time.Time{}, errZone
		}
		return v.AsTime(zone), nil
	case toml.LocalDate:
		if zone == nil {
			return time.Time{}, errZone
		}
		if end {
			return time.Date(v.Year, time.Month(v.Month), v.Day+1, 0, 0, 0, 0, zone), nil
		}
		return v.AsTime(zone), nil
	}
	return time.Time{}, errors.New("it is not a date or time: write it without quotes, as 2026-12-31 or 2026-12-31T17:00:00")
}

var errZone = errors.New("timezone is missing: weekdays, hours and dates need one, like \"Europe/Oslo\"")
