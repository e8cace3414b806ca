package frontpanel

import (
	"context"

	"smartkiosk/device/board"
)

// watchHousing reports what the switch of the housing says, until ctx ends.
func watchHousing(ctx context.Context, section *board.Tamper, part *part) {
	tamper, ok := opened(ctx, part.is, section.Open)
	if !ok {
		return
	}
	defer tamper.Close()
	for {
		select {
		case state := <-tamper.States():
			part.tell(Report{State: State(state.String())})
		case <-ctx.Done():
			return
		}
	}
}
