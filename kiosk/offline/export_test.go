package offline

// Hashed returns how many hashes of holders the Decider remembers.
func (d *Decider) Hashed() int {
	d.hashes.mu.Lock()
	defer d.hashes.mu.Unlock()
	return len(d.hashes.all)
}
