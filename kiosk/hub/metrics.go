package hub

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"smartkiosk/kiosk"
	"smartkiosk/kiosk/protocol/hubapi"
)

// metrics are the figures of one hub for Prometheus. They name kiosks, consumers and trust
// domains, and never a holder.
type metrics struct {
	registry *prometheus.Registry
	verdicts *prometheus.CounterVec
	requests *prometheus.HistogramVec
}

func newMetrics(h *Hub) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		verdicts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "smartkiosk_hub_verdicts_total",
			Help: "Verdicts of this hub process, by verdict and by the reason of a denial.",
		}, []string{"verdict", "reason"}),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "smartkiosk_hub_request_seconds",
			Help:    "Time to answer a request, by operation and HTTP status. A pull of the feed includes its wait.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2, 5, 60},
		}, []string{"operation", "code"}),
	}
	m.registry.MustRegister(m.verdicts, m.requests, gauges{h})
	return m
}

// countVerdict counts a verdict that the hub answers.
func (m *metrics) countVerdict(v kiosk.Verdict) {
	if v.Granted {
		m.verdicts.WithLabelValues(hubapi.VerdictGranted, "").Inc()
	} else {
		m.verdicts.WithLabelValues(hubapi.VerdictDenied, string(v.Reason)).Inc()
	}
}

// timed measures the requests that answer serves. operation is the method and the path.
func (m *metrics) timed(operation string, answer http.Handler) http.Handler {
	return promhttp.InstrumentHandlerDuration(m.requests.MustCurryWith(prometheus.Labels{"operation": operation}), answer)
}

// metricsAnswer handles GET /metrics.
func (h *Hub) metricsAnswer(w http.ResponseWriter, r *http.Request, _ caller) error {
	promhttp.HandlerFor(h.metrics.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}).ServeHTTP(w, r)
	return nil
}

// gauges reads figures of the stream, the consumers, the CRLs, the disk and the clients when
// Prometheus asks for them.
type gauges struct{ h *Hub }

var (
	storeUp      = prometheus.NewDesc("smartkiosk_hub_store_up", "1 if JetStream answers, else 0.", nil, nil)
	streamEvents = prometheus.NewDesc("smartkiosk_hub_stream_messages", "Messages in the stream of events and its archive. A message holds one event or more.", nil, nil)
	streamBytes  = prometheus.NewDesc("smartkiosk_hub_stream_bytes", "Size of the stream of events and its archive.", nil, nil)
	streamLast   = prometheus.NewDesc("smartkiosk_hub_stream_last_message_timestamp_seconds", "When the hubs stored the last event, in seconds since 1970.", nil, nil)
	consumerLag  = prometheus.NewDesc("smartkiosk_hub_consumer_lag_messages", "Messages that a consumer has not acknowledged.", []string{"consumer"}, nil)
	crlUpdate    = prometheus.NewDesc("smartkiosk_hub_crl_this_update_timestamp_seconds", "thisUpdate of a CRL in force, in seconds since 1970.", []string{"domain", "crl"}, nil)
	crlNext      = prometheus.NewDesc("smartkiosk_hub_crl_next_update_timestamp_seconds", "nextUpdate of a CRL in force, in seconds since 1970.", []string{"domain", "crl"}, nil)
	crlFetched   = prometheus.NewDesc("smartkiosk_hub_crl_fetch_timestamp_seconds", "When this hub last fetched a CRL, or learned that it has the newest, in seconds since 1970; 0 if it has not since its start.", []string{"domain", "url"}, nil)
	crlFailures  = prometheus.NewDesc("smartkiosk_hub_crl_fetch_failures", "Failed fetches of a CRL since the last one that succeeded. Each is repeated soon.", []string{"domain", "url"}, nil)
	phoneCert    = prometheus.NewDesc("smartkiosk_hub_phone_certificate_not_after_timestamp_seconds", "End of the certificate with which the hub serves phones, in seconds since 1970.", nil, nil)
	merchantCert = prometheus.NewDesc("smartkiosk_hub_merchant_certificate_not_after_timestamp_seconds", "End of the merchant certificate with which the hub proves itself to a broker, in seconds since 1970.", []string{"broker"}, nil)
	diskFree     = prometheus.NewDesc("smartkiosk_hub_disk_free_bytes", "Free space on the disk of the embedded JetStream.", nil, nil)
	diskLevel    = prometheus.NewDesc("smartkiosk_hub_disk_warning_percent", "The highest of the levels 60, 80 and 100 that the disk has reached, else 0. At 100 the hub stores no more events.", nil, nil)
	storeRefuses = prometheus.NewDesc("smartkiosk_hub_store_refuses", "1 while the hub refuses to write because of its disk or its store, else 0.", nil, nil)
	storeStarts  = prometheus.NewDesc("smartkiosk_hub_store_restarts_total", "How often the hub has started the embedded JetStream again after write errors.", nil, nil)
	diskSize     = prometheus.NewDesc("smartkiosk_hub_disk_size_bytes", "Size of the disk of the embedded JetStream.", nil, nil)
)

// Describe sends the descriptions of the figures.
func (g gauges) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{storeUp, streamEvents, streamBytes, streamLast, consumerLag, crlUpdate, crlNext, crlFetched, crlFailures, phoneCert, merchantCert, diskFree, diskSize, diskLevel, storeRefuses, storeStarts, kioskSeen, certificateEnd} {
		to <- d
	}
}

// Collect sends the figures that can be read. If the store does not answer, its figures
// are missing and storeUp is 0.
func (g gauges) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	up := 1.0
	if err := g.collectStream(gauge); err != nil {
		up = 0
		g.h.log.Warn("cannot read the store for the metrics", "err", err)
	}
	gauge(storeUp, up)
	g.collectCRLs(gauge)
	g.collectClients(gauge)
	if g.h.config.Brokers != nil {
		if pair, err := g.h.config.phoneCertificate(); err == nil {
			gauge(phoneCert, seconds(pair.Leaf.NotAfter))
		}
		for _, c := range g.h.config.Brokers.Clients() {
			if m := c.Merchant(); m != nil {
				gauge(merchantCert, seconds(m.NotAfter), c.Config().Name)
			}
		}
	}
	if k := g.h.keeper; k != nil {
		g.collectDisk(k, gauge)
		to <- prometheus.MustNewConstMetric(storeStarts, prometheus.CounterValue, float64(k.restarted()))
	}
}

func (g gauges) collectDisk(k *keeper, gauge func(*prometheus.Desc, float64, ...string)) {
	if s, err := k.measure(k.store.dir); err == nil {
		gauge(diskFree, float64(s.free))
		gauge(diskSize, float64(s.size))
	}
	refuses := 0.0
	if k.refusal(false) != nil {
		refuses = 1
	}
	gauge(storeRefuses, refuses)
	gauge(diskLevel, float64(k.reached()))
}

func (g gauges) collectStream(gauge func(*prometheus.Desc, float64, ...string)) error {
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	info, err := g.h.events.Info(ctx)
	if err != nil {
		return err
	}
	old, err := g.h.events.archive.Info(ctx)
	if err != nil {
		return err
	}
	gauge(streamEvents, float64(info.State.Msgs+old.State.Msgs))
	gauge(streamBytes, float64(info.State.Bytes+old.State.Bytes))
	if info.State.LastSeq > 0 {
		gauge(streamLast, seconds(info.State.LastTime))
	}
	native := map[string]bool{}
	durable := g.h.events.ListConsumers(ctx)
	for c := range durable.Info() {
		if name, ok := strings.CutPrefix(c.Name, nativePrefix); ok {
			native[name] = true
			gauge(consumerLag, float64(c.NumPending)+float64(c.NumAckPending), name)
		}
	}
	if err := durable.Err(); err != nil {
		return err
	}
	consumers, err := g.h.cursors.ListKeys(ctx, jetstream.IgnoreDeletes())
	if err != nil {
		return err
	}
	for name := range consumers.Keys() {
		if name == deletedReader || native[name] {
			continue
		}
		at, err := g.h.cursor(ctx, name)
		if err != nil {
			return err
		}
		lag := float64(info.State.LastSeq) - float64(at.place)
		if at.part > 0 {
			lag++ // the message at the place is not acknowledged as a whole
		}
		gauge(consumerLag, max(0, lag), name)
	}
	return nil
}

func (g gauges) collectCRLs(gauge func(*prometheus.Desc, float64, ...string)) {
	for source, last := range g.h.crls.all() {
		at := 0.0
		if !last.succeeded.IsZero() {
			at = seconds(last.succeeded)
		}
		gauge(crlFetched, at, source.domain, source.url)
		gauge(crlFailures, float64(last.failures), source.domain, source.url)
	}
	for _, c := range g.h.config.Trust.current.Load().crls {
		crl := g.h.config.Trust.set(c.Digest)
		if crl == nil { // replaced meanwhile
			continue
		}
		id := c.Digest[:8]
		gauge(crlUpdate, seconds(crl.ThisUpdate), c.Domain, id)
		if !crl.NextUpdate.IsZero() {
			gauge(crlNext, seconds(crl.NextUpdate), c.Domain, id)
		}
	}
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
