package hub

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"text/template"
	"time"
)

// A cluster is a NATS server with JetStream on each of several machines. The hubs on these
// machines, or elsewhere, keep everything in it.

// Node is one server of a cluster.
type Node struct {
	Name string
	Host string // a DNS name or an IP address, under which hubs and the other nodes call it
}

// ParseNode reads "NAME=HOST".
func ParseNode(text string) (Node, error) {
	name, host, _ := strings.Cut(text, "=")
	n := Node{name, host}
	if !validNode(n) {
		return Node{}, fmt.Errorf("%q is not of the form NAME=HOST, such as n1=10.0.0.1", text)
	}
	return n, nil
}

func validNode(n Node) bool {
	return n.Name != "" && n.Host != "" && strings.Trim(strings.ToLower(n.Name), "abcdefghijklmnopqrstuvwxyz0123456789-") == "" &&
		!strings.ContainsAny(n.Host, "/\\\"' \t\r\n") && (net.ParseIP(n.Host) != nil || !strings.Contains(n.Host, ":"))
}

// The ports and the folder of each node; nats-server.conf states them.
const (
	natsClientPort = "4222"
	natsRoutePort  = "6222"
	natsLeafPort   = "7422" // only while a hub moves

	clusterDir = "cluster" // in the hub's folder: one folder for each node
	nodeCAFile = "ca.pem"
	clientsCA  = "clients-ca.pem" // of hubs and of consumers
	nodeFile   = "node.pem"
	nodeKey    = "node.key"
	nodeConf   = "nats-server.conf"
)

// Cluster says what ClusterInit did.
type Cluster struct {
	Folders []string // of the nodes
	Moves   bool     // the hub has stored something, which BeginMove moves into the cluster
}

// ClusterInit prepares a hub for a cluster. It makes a CA for the connections to the cluster
// and between its nodes, the hub's certificate, and a folder for each node with its
// certificate and a configuration for nats-server. It writes the cluster's URL into hub.toml:
// as nats.url, or as nats.move_to if the hub has stored something.
func ClusterInit(dir string, nodes []Node) (c Cluster, err error) {
	_, err = os.Stat(filepath.Join(dir, jetstreamDir))
	c.Moves = err == nil
	if c.Folders, err = clusterInit(dir, nodes, c.Moves); err != nil {
		err = fmt.Errorf("cannot prepare a cluster: %w", err)
	}
	return c, err
}

func clusterInit(dir string, nodes []Node, moves bool) (folders []string, err error) {
	s, err := readSettings(dir)
	if err != nil {
		return nil, err
	}
	if s.NATS.URL != "" {
		return nil, errors.New("hub.toml names one already (nats.url)")
	}
	if s.NATS.MoveTo != "" {
		return nil, errors.New("hub.toml names one already (nats.move_to)")
	}
	if len(nodes) != 3 && len(nodes) != 5 {
		return nil, fmt.Errorf("it needs 3 nodes, or 5; got %d", len(nodes))
	}
	ca, err := newAuthority("Smartkiosk cluster CA", time.Now())
	if err != nil {
		return nil, err
	}
	if err := errors.Join(
		writeCertificate(filepath.Join(dir, natsCAFile), ca.cert.Raw),
		writeKey(filepath.Join(dir, natsCAKeyFile), ca.key),
		ca.writeNode(filepath.Join(dir, natsCertFile), filepath.Join(dir, natsKeyFile), "hub", ""),
	); err != nil {
		return nil, err
	}
	clients, err := readAuthority(dir)
	if err != nil {
		return nil, err
	}
	accounts, err := accountsConf(nil)
	if err != nil {
		return nil, err
	}
	var urls []string
	for i, n := range nodes {
		if !validNode(n) {
			return nil, fmt.Errorf("a node has the name %q and the host %q", n.Name, n.Host)
		}
		for _, other := range nodes[:i] {
			if n.Name == other.Name {
				return nil, fmt.Errorf("two nodes have the name %s", n.Name)
			}
		}
		urls = append(urls, "tls://"+net.JoinHostPort(n.Host, natsClientPort))
		folder := filepath.Join(dir, clusterDir, n.Name)
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return nil, err
		}
		if err := errors.Join(
			writeCertificate(filepath.Join(folder, nodeCAFile), ca.cert.Raw),
			os.WriteFile(filepath.Join(folder, clientsCA), append(pemCertificate(ca.cert.Raw), pemCertificate(clients.cert.Raw)...), 0o644),
			os.WriteFile(filepath.Join(folder, accountsFile), accounts, 0o600),
			ca.writeNode(filepath.Join(folder, nodeFile), filepath.Join(folder, nodeKey), n.Name, n.Host),
			writeNodeConf(filepath.Join(folder, nodeConf), n, nodes, moves),
		); err != nil {
			return nil, err
		}
		folders = append(folders, folder)
	}
	return folders, writeNATS(dir, strings.Join(urls, ","), moves)
}

// writeNode issues a certificate for a node, or for the hub if host is "". A node uses its
// certificate as a server, and as a client of the other nodes.
func (a *authority) writeNode(path, keyPath, name, host string) error {
	key, err := newKey()
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: name},
		NotAfter:    time.Now().AddDate(serverYears, 0, 0),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else if host != "" {
		template.DNSNames = []string{host}
	}
	if host != "" {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	cert, err := a.issue(template, key.Public(), time.Now())
	if err != nil {
		return err
	}
	return errors.Join(writeCertificate(path, cert), writeKey(keyPath, key))
}

//go:embed nats-server.conf.tmpl
var nodeConfText string

var nodeConfTemplate = template.Must(template.New(nodeConf).Parse(nodeConfText))

func writeNodeConf(path string, n Node, all []Node, moves bool) error {
	var routes []string
	for _, other := range all {
		if other != n {
			routes = append(routes, strconv.Quote("tls://"+net.JoinHostPort(other.Host, natsRoutePort)))
		}
	}
	var text bytes.Buffer
	if err := nodeConfTemplate.Execute(&text, map[string]any{
		"Name": n.Name, "ClientPort": natsClientPort, "RoutePort": natsRoutePort, "LeafPort": natsLeafPort, "Routes": routes, "Moves": moves,
		"CA": nodeCAFile, "ClientsCA": clientsCA, "Certificate": nodeFile, "Key": nodeKey, "Accounts": accountsFile,
	}); err != nil {
		return err
	}
	return os.WriteFile(path, text.Bytes(), 0o644)
}

var natsHead = regexp.MustCompile(`(?m)^\[nats\][ \t]*(#.*)?$`)

// writeNATS adds the cluster's URL to hub.toml.
func writeNATS(dir, url string, moves bool) error {
	path := filepath.Join(dir, settingsFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	setting := fmt.Sprintf("url = %q", url)
	if moves {
		setting = fmt.Sprintf("move_to = %q", url)
	}
	if natsHead.Match(text) {
		text = natsHead.ReplaceAllLiteral(text, []byte("[nats]\n"+setting))
	} else {
		text = fmt.Appendf(bytes.TrimRight(text, "\n"), `

# The JetStream that this hub shares with other hubs.
[nats]
%s
`, setting)
	}
	if got, err := parseSettings(text); err != nil || got.NATS.URL != url && got.NATS.MoveTo != url {
		return errors.Join(fmt.Errorf("cannot add %s to the table [nats] of %s: add it by hand", setting, path), err)
	}
	return replaceFile(path, text)
}
