package usbreader

import "encoding/binary"

// setup is a control request (USB 2.0 §9.3).
type setup struct {
	kind    byte // bmRequestType, without the direction
	request byte
	value   uint16
	index   uint16
	length  int
}

func parseSetup(b [8]byte) setup {
	return setup{
		kind: b[0] &^ directionIn, request: b[1],
		value: binary.LittleEndian.Uint16(b[2:]), index: binary.LittleEndian.Uint16(b[4:]),
		length: int(binary.LittleEndian.Uint16(b[6:])),
	}
}

// Kinds of requests by recipient (USB 2.0 §9.3, table 9-2).
const (
	toDevice    = 0x00
	toInterface = 0x01
	toEndpoint  = 0x02
	toClass     = 0x21 // the interface's class
)

// Standard requests (USB 2.0 §9.4, table 9-4) and those of the class (CCID
// §5.3).
const (
	getStatus           = 0
	clearFeature        = 1
	setFeature          = 3
	getDescriptor       = 6
	getConfiguration    = 8
	setConfiguration    = 9
	getInterface        = 10
	setInterface        = 11
	abortRequest        = 1
	getClockFrequencies = 2
	getDataRates        = 3

	endpointHalt = 0 // feature
)

// control carries out a control request. ok is false if the request is unknown.
func (s *session) control(q setup, in bool) (data []byte, ok bool) {
	if in {
		data = s.inquire(q)
		return data[:min(len(data), q.length)], data != nil
	}
	return nil, s.order(q)
}

// inquire carries out a request for data. It returns nil if the request is
// unknown.
func (s *session) inquire(q setup) []byte {
	switch {
	case q.kind == toDevice && q.request == getDescriptor:
		return s.reader.config.Model.descriptor(byte(q.value>>8), byte(q.value))
	case q.kind == toDevice && q.request == getConfiguration:
		return []byte{s.configured}
	case q.request == getStatus && (q.kind == toDevice || q.kind == toInterface && s.configured != 0):
		return []byte{0, 0}
	case q.kind == toEndpoint && q.request == getStatus:
		if halted := s.endpoint(q.index); halted != nil && *halted {
			return []byte{1, 0}
		} else if halted != nil {
			return []byte{0, 0}
		}
	case q.kind == toInterface && q.request == getInterface && s.configured != 0:
		return []byte{0}
	case q.kind == toClass && q.request == getClockFrequencies:
		return binary.LittleEndian.AppendUint32(nil, clock)
	case q.kind == toClass && q.request == getDataRates:
		var b []byte
		for _, rate := range dataRates {
			b = binary.LittleEndian.AppendUint32(b, rate)
		}
		return b
	}
	return nil
}

// order carries out a request without data.
func (s *session) order(q setup) bool {
	switch {
	case q.kind == toDevice && q.request == setConfiguration && q.value <= 1:
		s.configured = byte(q.value)
		s.halted = [len(s.halted)]bool{}
		s.reader.beginMoves()
		return true
	case q.kind == toInterface && q.request == setInterface:
		return s.configured != 0 && q.value == 0 && q.index == 0
	case q.kind == toEndpoint && q.value == endpointHalt && (q.request == clearFeature || q.request == setFeature):
		halted := s.endpoint(q.index)
		if halted != nil {
			*halted = q.request == setFeature
		}
		return halted != nil
	case q.kind == toClass && q.request == abortRequest:
		return s.abortByControl(byte(q.value), byte(q.value>>8))
	}
	return false
}

// endpoint returns the halt flag of the endpoint with that address, or nil if the
// endpoint does not exist.
func (s *session) endpoint(address uint16) *bool {
	switch address {
	case commandsOut, answersAddr, eventsAddr:
		return &s.halted[address&0x0F]
	}
	return nil
}
