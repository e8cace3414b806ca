package hub

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/hub/rules"
)

// webhookDenial is the error of askWebhook if the operator's system does not let the
// holder in: because it says so, or because it gives no usable answer.
type webhookDenial struct {
	reason kiosk.Reason // kiosk.OperatorDenied or kiosk.OperatorSilent
	err    error        // why there is no usable answer
}

func (d webhookDenial) Error() string {
	if d.err == nil {
		return string(d.reason)
	}
	return d.err.Error()
}

// askWebhook asks the operator's system about a holder whom rule lets in. It returns nil
// if the operator's system lets the holder in too.
func (h *Hub) askWebhook(ctx context.Context, visit string, ruleset *rules.Rules, c rules.Case, rule string) error {
	id := make([]byte, 16)
	if _, err := io.ReadFull(h.rand, id); err != nil {
		return fmt.Errorf("cannot ask the operator's system: %w", err)
	}
	allowed, err := ruleset.Webhook.Ask(ctx, h.webhooks, rules.Question{
		ID: "msg_" + hex.EncodeToString(id), Visit: visit, Case: c, Rule: rule,
	})
	switch {
	case err != nil:
		return webhookDenial{kiosk.OperatorSilent, err}
	case !allowed:
		return webhookDenial{reason: kiosk.OperatorDenied}
	}
	return nil
}
