package usbreader

// Command is a command to the card, as it is about to be sent: of T=0 the
// header of a TPDU, of T=1 the first block of a chain.
type Command struct {
	Number int  // from 1, since the card was powered up
	INS    byte // instruction (ISO 7816-4 §5.4.2)
}

// Fault is something that goes wrong when a card has been sent a command.
type Fault int

const (
	None    Fault = iota
	Pull          // the card is pulled when it has carried the command out: its answer is lost
	Silence       // the card carries the command out and answers nothing
	Damage        // a bit of the answer turns on its way, which parity (T=0) or LRC (T=1) shows
	AskTime       // the card wants more time first, which it then gets
	Stall         // the reader does not answer this nor anything, until it is unplugged
	Unplug        // the reader is unplugged when the card has carried the command out
)

// strike says what goes wrong at what is about to be sent. What is not the
// beginning of a command, as a PPS or a block that goes on, is not struck.
func (r *Reader) strike(k *contact, b []byte) Fault {
	ins, ok := k.begins(b)
	if !ok {
		return None
	}
	k.commands++
	if r.config.Strike == nil {
		return None
	}
	return r.config.Strike(Command{Number: k.commands, INS: ins})
}
