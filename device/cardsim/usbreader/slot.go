package usbreader

import (
	"bytes"
	"context"

	"smartkiosk/device/cardsim/usbreader/t1"
)

// iccStatus returns the state of the slot.
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

// beginMoves drops the events that the host does not know, except that a card is
// in the slot.
func (r *Reader) beginMoves() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.moves = nil; r.card != nil {
		r.moves = []bool{true}
	}
}

// nextMove returns the next event for the host, if there is one: a card was
// inserted or removed.
func (r *Reader) nextMove() (present, moved bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.moves) == 0 {
		return false, false
	}
	present, r.moves = r.moves[0], r.moves[1:]
	return present, true
}

// touching returns the powered card, or nil.
func (r *Reader) touching() *contact {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.contact
}

// powerOn is PC_to_RDR_IccPowerOn (CCID §6.1.1). It accepts every voltage.
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

// status answers with the slot's status (CCID §6.2.2). Its last byte says whether
// the card's clock runs.
func (r *Reader) status() answer {
	const running, stopped = 0, 1
	if r.iccStatus() == iccActive {
		return answer{kind: slotStatus, specific: running}
	}
	return answer{kind: slotStatus, specific: stopped}
}

// defaultSettings are the initial protocol data structures for T=0 and T=1: F =
// 372, D = 1, and the default waiting times and information field size (CCID
// §6.1.7; ISO 7816-3 §8.3, §10.2, §11.4).
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

// setParameters is PC_to_RDR_SetParameters (CCID §6.1.7). Only the protocol has an
// effect, not the speed.
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

// set changes the powered card's settings and answers with them.
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

// exchange sends bytes to the card and answers with the card's answer or with an
// error.
func (r *Reader) exchange(k *contact, b []byte) answer {
	fault := r.strike(k, b)
	if fault == AskTime && k.block != nil {
		k.block.AskTime(1)
		fault = None // the host sees the fault in the card's block
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
