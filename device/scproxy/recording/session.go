package recording

import (
	"fmt"
	"slices"

	"smartkiosk/device/apdu"
	"smartkiosk/device/apdu/script"
)

// Limits of one session. The rest of a longer session is not recorded.
const (
	maxSteps = 2048
	maxBytes = 1 << 20 // of responses
)

// Session holds the commands of a page and the responses of a card. The commands are
// blanked. The responses are those of the card until steps replaces the personal data in
// them.
type Session struct {
	recorder *Recorder
	atr      []byte
	kept     []step
	bytes    int
	last     byte // instruction of the last command that was not GET RESPONSE
	full     bool
}

type step struct {
	command  apdu.Command // blanked
	response []byte       // with the status bytes, nil if the card did not answer
	status   apdu.Status
	readable bool
}

// add keeps one command and its response.
func (s *Session) add(c apdu.Command, r apdu.Response, answered bool) {
	if s.full = s.full || len(s.kept) == maxSteps || s.bytes+len(r.Data) > maxBytes; s.full {
		return
	}
	if c.INS != insGetResponse {
		s.last = c.INS
	}
	k := step{command: blanked(c), readable: readable[s.last], status: r.SW}
	if answered {
		if !k.readable {
			r.Data = make([]byte, len(r.Data))
		}
		k.response = r.Bytes()
		s.bytes += len(k.response)
	}
	s.kept = append(s.kept, k)
}

// steps replaces the personal data in the session and returns it as a script.
func (s *Session) steps(a *anonymiser) []script.Step {
	for _, k := range s.kept {
		if k.command.INS == insSelect && len(k.command.Data) > 0 {
			a.selected = append(a.selected, k.command.Data)
		}
	}
	var f files
	for i := range s.kept {
		k := &s.kept[i]
		if k.response == nil || !k.readable {
			continue
		}
		if data := k.response[:len(k.response)-2]; !f.add(k.command, k.status, data) {
			a.replace(data)
		}
	}
	f.replace(a)
	var all []script.Step
	for i, k := range s.kept {
		command, err := k.command.Bytes()
		if err != nil {
			continue // too long to have been sent
		}
		all = append(all, script.Step{Command: command, Response: k.response, Comment: purpose(k.command), Reset: i == 0})
	}
	if s.full && len(all) > 0 {
		all[len(all)-1].Comment += "; the rest of the session was too long"
	}
	return all
}

// files puts the parts of transparent files together.
type files struct {
	all     []*file
	current string // the selected file
	parent  string // the last application or absolute path that was selected
}

// file holds what was read of one file.
type file struct {
	name  string
	parts []part // by offset
}

type part struct {
	offset int
	data   []byte // aliases the response
}

// add follows SELECT and keeps the data of READ BINARY. It reports whether it has
// kept the data.
func (f *files) add(c apdu.Command, sw apdu.Status, data []byte) bool {
	switch {
	case c.INS == insSelect && (sw == apdu.OK || sw>>8 == 0x61 || sw>>8 == 0x62):
		f.current = fmt.Sprintf("%02X %X", c.P1, c.Data)
		if c.P1 == 0 && len(c.Data) == 2 && c.Data[0] != 0x3F || c.P1 == 1 || c.P1 == 2 {
			f.current = f.parent + " " + f.current
		} else {
			f.parent = f.current
		}
	case c.INS == insReadBinary:
		offset := int(c.P1)<<8 | int(c.P2)
		if c.P1&0x80 != 0 { // by short file identifier (ISO 7816-4 §11.2.2)
			f.current, offset = fmt.Sprintf("%s SFI %d", f.parent, c.P1&0x1F), int(c.P2)
		}
		f.keep(part{offset, data})
		return true
	}
	return false
}

// keep adds a part to the current file. If it differs from what was read there, two
// files have the same name; a new one begins.
func (f *files) keep(p part) {
	for _, known := range slices.Backward(f.all) {
		if known.name == f.current && known.agrees(p) {
			known.parts = append(known.parts, p)
			return
		}
	}
	f.all = append(f.all, &file{f.current, []part{p}})
}

func (f *file) agrees(p part) bool {
	for _, q := range f.parts {
		from, to := max(p.offset, q.offset), min(p.offset+len(p.data), q.offset+len(q.data))
		if from < to && !slices.Equal(p.data[from-p.offset:to-p.offset], q.data[from-q.offset:to-q.offset]) {
			return false
		}
	}
	return true
}

// replace replaces the personal data in all parts.
func (f *files) replace(a *anonymiser) {
	for _, file := range f.all {
		content := file.content()
		a.replace(content)
		for _, p := range file.parts {
			n := 0
			if p.offset < len(content) {
				n = copy(p.data, content[p.offset:])
			}
			fill(p.data[n:], filler) // after a part that was not read
		}
	}
}

// content returns the beginning of the file, up to the first byte that was not read.
func (f *file) content() (b []byte) {
	slices.SortStableFunc(f.parts, func(p, q part) int { return p.offset - q.offset })
	for _, p := range f.parts {
		if p.offset > len(b) {
			break
		}
		if end := p.offset + len(p.data); end > len(b) {
			b = append(b, p.data[len(b)-p.offset:]...)
		}
	}
	return b
}
