package push

// Large has a pusher begin with batches of full size.
func (p *Pusher) Large() { p.bytes = maxBatch }
