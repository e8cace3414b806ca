package apdu

// T0 gives a short command APDU as transmission protocol T=0 carries it. There
// a command either sends data or asks for some: of one that does both the Le
// is left off, and the card says by 61xx what waits (ISO 7816-3 §12.2.1, case
// 4S). All others are carried as they are. What it gives aliases command.
func T0(command []byte) []byte {
	if len(command) > 5 && command[4] != 0 && len(command) == 4+1+int(command[4])+1 {
		return command[:len(command)-1]
	}
	return command
}
