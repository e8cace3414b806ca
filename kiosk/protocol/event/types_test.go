package event

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write EVENTS.md from the table of types")

const documentation = "EVENTS.md"

// TestDocumentation checks that EVENTS.md agrees with Types. go generate writes it.
func TestDocumentation(t *testing.T) {
	want := document()
	if *update {
		if err := os.WriteFile(documentation, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(documentation)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s does not agree with types.go: run go generate", documentation)
	}
}

func document() []byte {
	var b bytes.Buffer
	b.WriteString(`<!-- Written by go generate from types.go: change it there. -->
# Events

Each event is a CloudEvent 1.0. A kiosk seals it: whoever holds the sealed event can read the attributes below, but
only the hub can read the payload. The hub opens the event and puts it into the feed for every consumer, with the
signed original (a JWS) in the extension attribute ` + "`jws`" + `. Events that the hub writes itself are only in the feed:
their source is ` + "`" + HubSource + "`" + `, and they have neither ` + "`epoch`, `sequence`, `bootid`, `uptimems`, `clocktrusted` nor `jws`" + `.

| attribute | meaning |
|---|---|
| ` + "`id`" + ` | UUIDv7 |
| ` + "`source`" + ` | ` + "`" + SourcePrefix + "<kiosk>`" + ` |
| ` + "`type`" + ` | one of the types below |
| ` + "`time`" + ` | when the kiosk recorded it, by the kiosk's clock: RFC 3339, UTC, milliseconds |
| ` + "`sequence`" + ` | counts per kiosk and epoch from 1 without a gap; 20 digits, so that it sorts as text |
| ` + "`epoch`" + ` | identifies one life of the kiosk's outbox, see ` + TypeEpoch + `; absent in events of older kiosks |
| ` + "`conflict`" + ` | in the feed only: true if an earlier event in the feed has the same kiosk, epoch and sequence, but another content; otherwise absent |
| ` + "`bootid`" + ` | identifies the run of the machine since its last boot |
| ` + "`uptimems`" + ` | milliseconds since that boot, as a decimal string |
| ` + "`clocktrusted`" + ` | whether the kiosk's clock was synchronised |
| ` + "`jws`" + ` | in the feed only: the event as the kiosk signed it |
| ` + "`evidenceremoved`" + ` | in the feed only: true if the event is older than the hub keeps evidence (90 days by default); the hub has then removed ` + "`jws`" + ` and the member ` + "`evidence`" + `; otherwise absent |
| ` + "`link`" + ` | in the feed only, together with ` + "`evidenceremoved`" + `: the SHA-256 of the removed ` + "`jws`" + ` as base64url without padding; ` + "`prev`" + ` in the ` + "`jws`" + ` of the kiosk's next event has the same value |
`)
	for _, t := range Types {
		by := ""
		if t.By == ByHub {
			by = " by a hub"
		}
		fmt.Fprintf(&b, "\n## %s\nWritten%s when %s.\n\n", t.Name, by, t.When)
		b.WriteString("```json\n")
		example, err := t.Example()
		if err == nil {
			err = json.Indent(&b, example, "", "  ")
		}
		if err != nil {
			panic(err)
		}
		b.WriteString("\n```\n\n| member | meaning | personal | seen by |\n|---|---|---|---|\n")
		for f := range reflect.TypeOf(t.Payload).Fields() {
			name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			text := f.Tag.Get("doc")
			if strings.Contains(options, "omitempty") {
				text += " (may be absent)"
			}
			personal := f.Tag.Get("personal")
			if personal == "" {
				personal = "no"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | hub, consumers |\n", name, text, personal)
		}
	}
	return b.Bytes()
}

func TestTypesAreSound(t *testing.T) {
	seen := map[string]bool{}
	for _, row := range Types {
		if !typeForm.MatchString(row.Name) || seen[row.Name] || row.When == "" || reflect.ValueOf(row.Payload).IsZero() {
			t.Errorf("row %+v", row)
		}
		seen[row.Name] = true
		for f := range reflect.TypeOf(row.Payload).Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name == "" || f.Tag.Get("doc") == "" {
				t.Errorf("%s: %s has no name or no doc", row.Name, f.Name)
			}
			if slices.Contains(headerNames, name) {
				t.Errorf("%s: %s would hide the header's %s", row.Name, f.Name, name)
			}
		}
	}
}
