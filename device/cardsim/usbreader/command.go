package usbreader

import "context"

// command carries out a message from the host, or starts to.
func (s *session) command(ctx context.Context, m message) error {
	switch {
	case m.slot != 0:
		return s.answer(m, failure(slotStatus, badSlot))
	case m.kind == abortCommand:
		return s.abortByMessage(m)
	case s.abortControl >= 0:
		return s.answer(m, failure(slotStatus, commandAborted))
	case s.busy != nil:
		return s.answer(m, failure(slotStatus, slotBusy))
	}
	switch m.kind {
	case iccPowerOn:
		return s.answer(m, s.reader.powerOn(ctx, m))
	case iccPowerOff:
		return s.answer(m, s.reader.release())
	case getSlotStatus:
		return s.answer(m, s.reader.status())
	case getParameters:
		return s.answer(m, s.reader.parameters())
	case resetParameters:
		return s.answer(m, s.reader.resetParameters())
	case setParameters:
		return s.answer(m, s.reader.setParameters(m))
	case xfrBlock:
		s.begin(ctx, m, s.reader.transfer)
		return nil
	case secure:
		if s.reader.config.Model.PINPad {
			s.begin(ctx, m, s.reader.secure)
			return nil
		}
	}
	return s.answer(m, failure(slotStatus, unsupported))
}

// begin starts to carry out a message in a goroutine.
func (s *session) begin(ctx context.Context, m message, work func(context.Context, message) answer) {
	ctx, cancel := context.WithCancel(ctx)
	j := &job{message: m, cancel: cancel}
	s.busy = j
	go func() {
		defer cancel()
		defer clear(m.data) // it may hold a PIN
		s.done <- result{j, work(ctx, m)}
	}()
}

// finish answers the message whose exchange has ended.
func (s *session) finish(r result) error {
	s.busy = nil
	m, a := r.job.message, r.answer
	switch a.fault {
	case Unplug:
		s.ended = true
		return nil
	case Stall:
		s.stalled = true
		return nil
	case AskTime:
		if err := s.answers.send(timeExtension(m, s.reader.iccStatus(), 1)); err != nil {
			return err
		}
	}
	if r.job.aborted {
		a = failure(a.kind, commandAborted)
	}
	return s.answer(m, a)
}

func (s *session) answer(m message, a answer) error {
	return s.answers.send(a.bytes(m, s.reader.iccStatus()))
}

// abortByControl and abortByMessage are the two halves of an abort. They come in
// any order with the same sequence number. After the first half the running
// command fails, and every other command until the second half (CCID §5.3.1,
// §6.1.13).
func (s *session) abortByControl(slot, sequence byte) bool {
	if slot != 0 {
		return false
	}
	s.abortRunning()
	if s.abortMessage == int(sequence) {
		s.abortMessage = -1
		return s.answer(message{sequence: sequence}, answer{kind: slotStatus}) == nil
	}
	s.abortControl = int(sequence)
	return true
}

func (s *session) abortByMessage(m message) error {
	s.abortRunning()
	if s.abortControl == int(m.sequence) {
		s.abortControl = -1
		return s.answer(m, answer{kind: slotStatus})
	}
	s.abortMessage = int(m.sequence)
	return nil
}

func (s *session) abortRunning() {
	if s.busy != nil {
		s.busy.aborted = true
		s.busy.cancel()
	}
}
