//go:build linux

package scenario

import (
	"strings"
	"testing"
)

func TestEventsOf(t *testing.T) {
	const visit = `{"source":"urn:smartkiosk:kiosk:a","type":"smartkiosk.visit.v1","sequence":"2","data":{"outcome":"granted"}}`
	feed := strings.Join([]string{
		`{"source":"urn:smartkiosk:kiosk:a","type":"smartkiosk.started.v1","sequence":"1","data":{}}`,
		`{"source":"urn:smartkiosk:kiosk:b","type":"smartkiosk.started.v1","sequence":"1","data":{}}`,
		visit, visit[:20], // the last line has not ended
	}, "\n")
	events, err := eventsOf(feed, "kiosk:a")
	if err != nil || len(events) != 2 || events[1].Type != visitType || events[1].Data.Outcome != "granted" {
		t.Errorf("%+v, %v", events, err)
	}
	for name, bad := range map[string]string{
		"a gap":        strings.Replace(visit, `"2"`, `"3"`, 1) + "\n",
		"not a number": strings.Replace(visit, `"2"`, `"x"`, 1) + "\n",
		"not JSON":     "hub ready\n",
	} {
		if _, err := eventsOf(bad, "kiosk:a"); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
