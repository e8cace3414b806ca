package hub

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/kiosk/protocol/hubapi"
)

// A consumer may also read the events with any NATS client. Then its place is not a cursor
// of the hub but that of a durable pull consumer of JetStream.

// nativeName returns the name of a consumer's durable consumer, and of its account in the
// NATS servers.
func nativeName(consumer string) string { return nativePrefix + consumer }

const nativePrefix = "consumer-"

// nativeInboxes are the subjects on which a consumer gets answers.
const nativeInboxes = "_INBOX.>"

// nativeService is a service of JetStream that a consumer may use.
type nativeService struct {
	subject  string // in the account of the hubs
	local    string // in the consumer's account
	streamed bool   // one request has several answers
}

// nativeAPI is the prefix of JetStream's API in a consumer's account. It cannot be "$JS.API",
// because in every account that stands for the account's own JetStream, which is not enabled.
const nativeAPI = "HUB.API"

// nativeServices are all that a consumer may do: look at its durable consumer, request
// messages, and acknowledge them.
func nativeServices(consumer string) []nativeService {
	durable := eventsStream + "." + nativeName(consumer)
	return []nativeService{
		{"$JS.API.CONSUMER.INFO." + durable, nativeAPI + ".CONSUMER.INFO." + durable, false},
		{"$JS.API.CONSUMER.MSG.NEXT." + durable, nativeAPI + ".CONSUMER.MSG.NEXT." + durable, true},
		{"$JS.ACK." + durable + ".>", "$JS.ACK." + durable + ".>", false},
	}
}

func nativeSubjects(consumer string) (subjects []string) {
	for _, s := range nativeServices(consumer) {
		subjects = append(subjects, s.local)
	}
	return subjects
}

const (
	nativeAckWait = time.Minute // after that an event that was not acknowledged comes again
	nativePending = 1000        // messages that may wait for their acknowledgement
)

// NativeAccess is what a consumer needs for a NATS client.
type NativeAccess struct {
	Bundle   string // the folder with the consumer's certificate and key
	URL      string // of the servers
	API      string // prefix of JetStream's API
	CA       string // name of the file with the CA of the servers, in the bundle
	Stream   string
	Durable  string // name of the durable pull consumer
	Accounts string // the file with the accounts that external servers must have; "" if the server is the hub's own
}

// AddNativeConsumer is AddConsumer for a consumer that reads with a NATS client. It makes
// the consumer's durable pull consumer, which begins at from: FeedStart, FeedEnd, or a time
// (RFC 3339). One that exists keeps its place.
func AddNativeConsumer(dir, name, from string) (access NativeAccess, err error) {
	if access, err = addNativeConsumer(dir, name, from); err != nil {
		err = fmt.Errorf("cannot add consumer %s: %w", name, err)
	}
	return access, err
}

func addNativeConsumer(dir, name, from string) (a NativeAccess, err error) {
	s, err := readSettings(dir)
	if err != nil {
		return a, err
	}
	a = NativeAccess{API: nativeAPI, CA: bundleCAFile, Stream: eventsStream, Durable: nativeName(name)}
	if a.URL, err = s.nativeURL(); err != nil {
		return a, err
	}
	config, err := nativeConfig(name, from)
	if err != nil {
		return a, err
	}
	id := hubapi.Identity{Role: hubapi.RoleConsumer, Name: name}
	a.Bundle, err = addClient(dir, id, nil, registryOf(dir), func(to string, _ settings) error {
		if s.NATS.URL == "" {
			return nil
		}
		a.CA = natsCAFile
		return copyNATSCA(dir, to)
	})
	if err != nil {
		return a, err
	}
	err = useStream(dir, func(ctx context.Context, store *feedStore) (err error) {
		if _, err = store.events.Consumer(ctx, config.Durable); errors.Is(err, jetstream.ErrConsumerNotFound) {
			_, err = store.events.CreateConsumer(ctx, config)
		}
		if err == nil && s.NATS.URL != "" {
			a.Accounts, err = writeAccounts(ctx, dir, store.events)
		}
		return err
	})
	return a, err
}

// copyNATSCA puts the CA of external servers into a consumer's bundle.
func copyNATSCA(dir, bundle string) error {
	ca, _, err := readCertificate(filepath.Join(dir, natsCAFile))
	if err != nil {
		return err
	}
	return writeCertificate(filepath.Join(bundle, natsCAFile), ca.Raw)
}

// nativeURL returns where consumers reach JetStream with a NATS client.
func (s settings) nativeURL() (string, error) {
	if s.NATS.URL != "" {
		return s.NATS.URL, nil
	}
	if s.NATS.Listen == "" {
		return "", errors.New("hub.toml has no nats.listen, on which the hub would accept NATS clients: set it, and start the hub again")
	}
	u, err := url.Parse(s.URL)
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(s.NATS.Listen)
	return "tls://" + net.JoinHostPort(u.Hostname(), port), err
}

// nativeConfig returns the configuration of a consumer's durable consumer.
func nativeConfig(name, from string) (jetstream.ConsumerConfig, error) {
	c := jetstream.ConsumerConfig{
		Durable:       nativeName(name),
		Description:   "kioskhub consumer " + name,
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       nativeAckWait,
		MaxAckPending: nativePending,
	}
	switch from {
	case FeedStart:
		c.DeliverPolicy = jetstream.DeliverAllPolicy
	case FeedEnd:
		c.DeliverPolicy = jetstream.DeliverNewPolicy
	default:
		since, err := time.Parse(time.RFC3339, from)
		if err != nil {
			return c, fmt.Errorf("%q is not start, end, or a time such as 2026-11-29T12:00:00Z", from)
		}
		c.DeliverPolicy, c.OptStartTime = jetstream.DeliverByStartTimePolicy, &since
	}
	return c, nil
}

// nativePlace returns the place up to which a consumer has acknowledged with a NATS client.
// ok is false if the consumer pulls the feed instead.
func nativePlace(ctx context.Context, events jetstream.Stream, consumer string) (info *jetstream.ConsumerInfo, place uint64, ok bool, err error) {
	if !hubapi.ValidName(consumer) { // the hub's own reviews
		return nil, 0, false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	c, err := events.Consumer(ctx, nativeName(consumer))
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		return nil, 0, false, nil
	}
	if err != nil {
		return nil, 0, false, storeError{err}
	}
	info = c.CachedInfo()
	return info, info.AckFloor.Stream, true, nil
}

// removeNative removes a consumer's durable consumer, if it has one. It returns the file
// with the accounts that external servers must have now, or "".
func removeNative(ctx context.Context, dir string, js jetstream.JetStream, consumer string) (accounts string, err error) {
	err = js.DeleteConsumer(ctx, eventsStream, nativeName(consumer))
	if errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	s, err := readSettings(dir)
	if err != nil || s.NATS.URL == "" {
		return "", err
	}
	events, err := js.Stream(ctx, eventsStream)
	if err != nil {
		return "", err
	}
	return writeAccounts(ctx, dir, events)
}

// moveNative has a consumer's durable consumer begin behind a place. JetStream cannot move
// one, so it makes it again.
func moveNative(ctx context.Context, events jetstream.Stream, consumer string, after uint64) error {
	config, err := nativeConfigAfter(consumer, after)
	if err != nil {
		return err
	}
	if err := events.DeleteConsumer(ctx, config.Durable); err != nil {
		return err
	}
	_, err = events.CreateConsumer(ctx, config)
	return err
}

// nativeConfigAfter returns the configuration of a durable consumer that begins behind a
// place.
func nativeConfigAfter(consumer string, after uint64) (jetstream.ConsumerConfig, error) {
	config, err := nativeConfig(consumer, FeedStart)
	if after > 0 {
		config.DeliverPolicy, config.OptStartSeq = jetstream.DeliverByStartSequencePolicy, after+1
	}
	return config, err
}
