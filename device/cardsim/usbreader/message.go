package usbreader

import (
	"encoding/binary"
	"errors"
)

// headerSize is the size of a message's header on both bulk endpoints, in bytes
// (CCID §6).
const headerSize = 10

// Messages from the host (CCID §6.1, table 6.1-1).
const (
	setParameters   = 0x61
	iccPowerOn      = 0x62
	iccPowerOff     = 0x63
	getSlotStatus   = 0x65
	secure          = 0x69
	getParameters   = 0x6C
	resetParameters = 0x6D
	xfrBlock        = 0x6F
	abortCommand    = 0x72
)

// Messages to the host (CCID §6.2, table 6.2-1; §6.3).
const (
	dataBlock        = 0x80
	slotStatus       = 0x81
	parameters       = 0x82
	notifySlotChange = 0x50
)

// message is a message from the host.
type message struct {
	kind, slot, sequence byte
	specific             [3]byte
	data                 []byte // aliases what it was parsed from
}

var (
	errShort  = errors.New("message shorter than its header")
	errLength = errors.New("message of another length than its header states")
)

// parseMessage decodes a message from the host. With errLength it also returns
// the header, so that the message can be answered.
func parseMessage(b []byte) (message, error) {
	if len(b) < headerSize {
		return message{}, errShort
	}
	m := message{kind: b[0], slot: b[5], sequence: b[6], specific: [3]byte(b[7:])}
	if n := binary.LittleEndian.Uint32(b[1:]); uint64(n) != uint64(len(b)-headerSize) || len(b) > maxMessage {
		return m, errLength
	}
	m.data = b[headerSize:]
	return m, nil
}

// iccState is bmICCStatus (CCID §6.2.6).
type iccState byte

const (
	iccActive   iccState = 0
	iccInactive iccState = 1
	iccAbsent   iccState = 2
)

// Reasons of a failure: bError (CCID §6.2.6, table 6.2-2). A value from 1 to 127 is
// the offset of the wrong field in the message.
type failureCode byte

const (
	unsupported    failureCode = 0
	badLength      failureCode = 1 // dwLength
	badSlot        failureCode = 5 // bSlot
	slotBusy       failureCode = 0xE0
	pinCancelled   failureCode = 0xEF
	pinTimeout     failureCode = 0xF0
	parityError    failureCode = 0xFD
	cardMute       failureCode = 0xFE
	commandAborted failureCode = 0xFF
)

// answer is the reader's answer to a message, without the parts that come from
// the message and the slot.
type answer struct {
	kind     byte
	failed   bool
	code     failureCode // of a failure
	specific byte        // the last byte of the header
	data     []byte

	fault Fault // what the session must do: AskTime, Stall or Unplug
}

func failure(kind byte, code failureCode) answer { return answer{kind: kind, failed: true, code: code} }

// Outcomes: bmCommandStatus (CCID §6.2.6).
const (
	outcomeOK     = 0 << 6
	outcomeFailed = 1 << 6
	outcomeTime   = 2 << 6 // time extension: the answer follows later
)

// bytes encodes the answer to m.
func (a answer) bytes(m message, state iccState) []byte {
	status, code := byte(state)|outcomeOK, byte(0)
	if a.failed {
		status, code = byte(state)|outcomeFailed, byte(a.code)
	}
	b := []byte{a.kind}
	b = binary.LittleEndian.AppendUint32(b, uint32(len(a.data)))
	b = append(b, m.slot, m.sequence, status, code, a.specific)
	return append(b, a.data...)
}

// timeExtension asks the host to wait for the answer to m: times is the multiple
// of the block waiting time.
func timeExtension(m message, state iccState, times byte) []byte {
	return []byte{dataBlock, 0, 0, 0, 0, m.slot, m.sequence, byte(state) | outcomeTime, times, 0}
}

// slotChange is RDR_to_PC_NotifySlotChange (CCID §6.3.1).
func slotChange(present bool) []byte {
	const changed, cardPresent = 1 << 1, 1 << 0
	if present {
		return []byte{notifySlotChange, changed | cardPresent}
	}
	return []byte{notifySlotChange, changed}
}
