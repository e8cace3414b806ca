package usbreader

import (
	"bytes"
	"context"

	"smartkiosk/device/cardsim/usbreader/t1"
)

// iccStatus tells what is in the slot.
func (r *Reader) iccStatus() iccState {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.card == nil:
		return iccAbsent
	case r.contact == nil:
		return iccInactive
	}
	return iccActive
}

// beginMoves forgets what the host was not told, but for a card that is in.
func (r *Reader) beginMoves() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.moves = nil; r.card != nil {
		r.moves = []bool{true}
	}
}

// nextMove gives what the host is to be told next, if there is anything: that a
// card has come, or gone.
func (r *Reader) nextMove() (present, moved bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.moves) == 0 {
		return false, false
	}
	present, r.moves = r.moves[0], r.moves[1:]
	return present, true
}

// touching gives the card that is under power, nil for none.
func (r *Reader) touching() *contact {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.contact
}

// powerOn is PC_to_RDR_IccPowerOn (CCID §6.1.1). Any voltage will do.
func (r *Reader) powerOn(ctx context.Context, m message) answer {
	const voltages, voltagePlace = 3, 7 // bPowerSelect
	if m.specific[0] > voltages {
		return failure(dataBlock, voltagePlace)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.powerOff()
	if r.card == nil {
		return failure(dataBlock, cardMute)
	}
	k, atr := touch(ctx, r.card)
	if k == nil {
		return failure(dataBlock, cardMute)
	}
	r.contact = k
	return answer{kind: dataBlock, data: atr}
}

// release is PC_to_RDR_IccPowerOff (CCID §6.1.2).
func (r *Reader) release() answer {
	r.mu.Lock()
	r.powerOff()
	r.mu.Unlock()
	return r.status()
}

// status answers with the slot's status (CCID §6.2.2), whose last byte says
// whether the card's clock runs.
func (r *Reader) status() answer {
	const running, stopped = 0, 1
	if r.iccStatus() == iccActive {
		return answer{kind: slotStatus, specific: running}
	}
	return answer{kind: slotStatus, specific: stopped}
}

// defaultSettings are the protocol data structures for T=0 and T=1 before they
// are set: F = 372, D = 1, the waiting times and the information field of a card
// that says nothing of them (CCID §6.1.7; ISO 7816-3 §8.3, §10.2, §11.4).
func defaultSettings() [2][]byte {
	return [2][]byte{
		{0x11, 0x00, 0x00, 0x0A, 0x00},
		{0x11, 0x10, 0x00, 0x4D, 0x00, t1.DefaultInformation, 0x00},
	}
}

// parameters is PC_to_RDR_GetParameters (CCID §6.1.5).
func (r *Reader) parameters() answer {
	return r.set(func(*contact) {})
}

// resetParameters is PC_to_RDR_ResetParameters (CCID §6.1.6).
func (r *Reader) resetParameters() answer {
	return r.set(func(k *contact) { k.settings, k.protocol = defaultSettings(), k.speaks() })
}

// setParameters is PC_to_RDR_SetParameters (CCID §6.1.7). The speed that they
// set makes no difference; the protocol does.
func (r *Reader) setParameters(m message) answer {
	const protocolPlace = 7 // bProtocolNum
	protocol := m.specific[0]
	switch {
	case protocol > 1:
		return failure(parameters, protocolPlace)
	case len(m.data) != len(defaultSettings()[protocol]):
		return failure(parameters, badLength)
	}
	return r.set(func(k *contact) { k.protocol, k.settings[protocol] = protocol, bytes.Clone(m.data) })
}

// set changes the settings of the card under power and answers with them.
func (r *Reader) set(change func(*contact)) answer {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.contact
	if k == nil {
		return failure(parameters, cardMute)
	}
	change(k)
	return answer{kind: parameters, specific: k.protocol, data: k.settings[k.protocol]}
}

// transfer is PC_to_RDR_XfrBlock (CCID §6.1.4), at TPDU level.
func (r *Reader) transfer(_ context.Context, m message) answer {
	const levelPlace = 8 // wLevelParameter
	switch k := r.touching(); {
	case m.specific[1] != 0 || m.specific[2] != 0:
		return failure(dataBlock, levelPlace)
	case len(m.data) == 0:
		return failure(dataBlock, badLength)
	case k == nil:
		return failure(dataBlock, cardMute)
	default:
		return r.exchange(k, m.data)
	}
}

// exchange sends bytes to the card and answers with what it says, or with what
// went wrong.
func (r *Reader) exchange(k *contact, b []byte) answer {
	fault := r.strike(k, b)
	if fault == AskTime && k.block != nil {
		k.block.AskTime(1)
		fault = None // the host sees it in the card's own block
	}
	response := bytes.Clone(k.transmit(b))
	switch {
	case fault == Pull:
		r.Remove()
	case fault == Silence:
		response = nil
	case fault == Damage && k.block == nil:
		return failure(dataBlock, parityError)
	case fault == Damage && response != nil:
		response[len(response)-1] ^= 0x01
	}
	if r.touching() != k || response == nil {
		return answer{kind: dataBlock, failed: true, code: cardMute, fault: fault}
	}
	return answer{kind: dataBlock, data: response, fault: fault}
}
