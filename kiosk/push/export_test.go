package push

// Large makes the pusher begin with batches of maxBatch bytes.
func (p *Pusher) Large() { p.bytes = maxBatch }
