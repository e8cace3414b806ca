package hub

import (
	"bytes"
	"context"
	_ "embed"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"github.com/nats-io/nats.go/jetstream"

	"smartkiosk/kiosk/protocol/hubapi"
)

// accountsFile says what each client of external NATS servers may do. ClusterInit puts it
// into the folder of each node, whose nats-server.conf includes it.
const accountsFile = "accounts.conf"

//go:embed accounts.conf.tmpl
var accountsText string

var accountsTemplate = template.Must(template.New(accountsFile).Funcs(template.FuncMap{"quote": strconv.Quote}).Parse(accountsText))

// accountsConf returns the accounts for hubs and for consumers with a NATS client.
func accountsConf(consumers []string) ([]byte, error) {
	type service struct {
		Subject, Local string
		Streamed       bool
	}
	type account struct {
		Account, User, Inboxes string
		Services               []service
	}
	var all []account
	for _, name := range consumers {
		a := account{Account: nativeName(name), User: hubapi.Identity{Role: hubapi.RoleConsumer, Name: name}.String(), Inboxes: nativeInboxes}
		for _, s := range nativeServices(name) {
			a.Services = append(a.Services, service{s.subject, s.local, s.streamed})
		}
		all = append(all, a)
	}
	var text bytes.Buffer
	err := accountsTemplate.Execute(&text, all)
	return text.Bytes(), err
}

// writeAccounts writes the accounts of the consumers that have a durable consumer into the
// folder of the cluster's nodes, and into each of these. It returns the path of the file.
func writeAccounts(ctx context.Context, dir string, events jetstream.Stream) (path string, err error) {
	var consumers []string
	durables := events.ConsumerNames(ctx)
	for name := range durables.Name() {
		if consumer, ok := strings.CutPrefix(name, nativePrefix); ok {
			consumers = append(consumers, consumer)
		}
	}
	if err := durables.Err(); err != nil {
		return "", err
	}
	slices.Sort(consumers)
	text, err := accountsConf(consumers)
	if err != nil {
		return "", err
	}
	folder := filepath.Join(dir, clusterDir)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", err
	}
	nodes, err := filepath.Glob(filepath.Join(folder, "*", nodeConf))
	if err != nil {
		return "", err
	}
	for _, conf := range nodes {
		if err := replaceFile(filepath.Join(filepath.Dir(conf), accountsFile), text); err != nil {
			return "", err
		}
	}
	path = filepath.Join(folder, accountsFile)
	return path, replaceFile(path, text)
}
