package browser

// keyEvent is a key of DevTools' Input.dispatchKeyEvent.
type keyEvent struct {
	Type string `json:"type"`
	Key  string `json:"key"`
	Code string `json:"code"`
	Text string `json:"text,omitempty"`
	VK   int    `json:"windowsVirtualKeyCode"`
}

// press sends a key of the kiosk's keypad to the page: a digit; # is Enter, * is
// Backspace, L is Tab. Other keys do nothing.
func (w *window) press(key string) {
	var k keyEvent
	switch {
	case len(key) != 1:
		return
	case key >= "0" && key <= "9":
		k = keyEvent{Key: key, Code: "Digit" + key, Text: key, VK: int(key[0])}
	case key == "#":
		k = keyEvent{Key: "Enter", Code: "Enter", Text: "\r", VK: 13}
	case key == "*":
		k = keyEvent{Key: "Backspace", Code: "Backspace", VK: 8}
	case key == "L":
		k = keyEvent{Key: "Tab", Code: "Tab", VK: 9}
	default:
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.login == "" {
		return
	}
	k.Type = "keyDown"
	w.send(w.session, "Input.dispatchKeyEvent", k)
	k.Type, k.Text = "keyUp", ""
	w.send(w.session, "Input.dispatchKeyEvent", k)
}
