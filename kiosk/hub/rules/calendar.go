package rules

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // a hub may run on a machine without time zone files

	"github.com/pelletier/go-toml/v2"

	"smartkiosk/kiosk/protocol/hubpolicy"
)

// weekdays are the names in the file, in the order of time.Weekday.
var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// readDays reads weekdays, each "mon" or "mon-fri".
func readDays(texts []string) (days []time.Weekday, err error) {
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
			if slices.Contains(days, time.Weekday(d)) {
				return days, fmt.Errorf("weekdays: %q names a day twice", texts)
			}
			days = append(days, time.Weekday(d))
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
func readSpan(text string) (hubpolicy.Span, error) {
	m := hours.FindStringSubmatch(text)
	if m == nil {
		return hubpolicy.Span{}, fmt.Errorf("hours: %q does not have the form \"07:00-17:00\"", text)
	}
	minutes := func(h, m string) int {
		hour, _ := strconv.Atoi(h)
		minute, _ := strconv.Atoi(m)
		return hour*60 + minute
	}
	s := hubpolicy.Span{From: minutes(m[1], m[2]), To: minutes(m[3], m[4])}
	switch {
	case s.From >= 24*60 || s.To > 24*60:
		return hubpolicy.Span{}, fmt.Errorf("hours: %q goes past 24:00", text)
	case s.From == s.To:
		return hubpolicy.Span{}, fmt.Errorf("hours: %q is empty: it begins when it ends", text)
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
