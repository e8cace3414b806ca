package usbreader

// Command is a command that is about to be sent to the card. With T=0 it is seen
// at the header of its TPDU, with T=1 at the first block of its chain.
type Command struct {
	Number int  // from 1, since the card was powered up
	INS    byte // instruction (ISO 7816-4 §5.4.2)
}

// Fault is what goes wrong at a command.
type Fault int

const (
	None    Fault = iota
	Pull          // the card is removed after it has carried the command out: its answer is lost
	Silence       // the card carries the command out and answers nothing
	Damage        // a bit of the answer flips, which parity (T=0) or LRC (T=1) detects
	AskTime       // the card asks for more time first and gets it
	Stall         // the reader does not answer this command or any later one until it is unplugged
	Unplug        // the reader is unplugged after the card has carried the command out
)

// strike returns the fault for the bytes that are about to be sent. Bytes that do
// not begin a command, such as a PPS or a later block of a chain, have no fault.
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
