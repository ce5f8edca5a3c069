package config

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
	"sync/atomic"
)

// ClientTLS returns the settings for connections to receivers, from TLS_CA, TLS_CERT and
// TLS_KEY; nil if all are unset. The system's certificate authorities are trusted as
// well.
func (c Config) ClientTLS() (*tls.Config, error) {
	return receiverPEM.client(c.TLSCA, c.TLSCert, c.TLSKey)
}

// pemNames begins the names of the three variables, CA, CERT and KEY, for connections of
// one kind.
type pemNames string

const (
	receiverPEM pemNames = Prefix + "TLS_"
	natsPEM     pemNames = Prefix + "NATS_"
)

// client returns the settings of a client with the variables' values; nil if there are none.
func (n pemNames) client(ca, cert, key Secret) (*tls.Config, error) {
	if ca.Reveal() == "" && cert.Reveal() == "" {
		return nil, nil
	}
	client := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca.Reveal() != "" {
		roots, err := x509.SystemCertPool()
		if err != nil {
			return nil, fmt.Errorf("read the system's certificate authorities: %w", err)
		}
		authorities, err := parseCertificates(ca)
		if err != nil {
			return nil, fmt.Errorf("%sCA %w", n, err)
		}
		for _, authority := range authorities {
			roots.AddCert(authority)
		}
		client.RootCAs = roots
	}
	if cert.Reveal() != "" {
		pair, err := n.pair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("%sKEY %w", n, err)
		}
		client.Certificates = []tls.Certificate{pair}
		if cert.path != nil || key.path != nil {
			client.GetClientCertificate = n.renewed(cert, key, pair)
		}
	}
	return client, nil
}

// renewed returns a function that reads the certificate and its key again, for each
// connection that needs them: they are renewed by changing their files. While they do not
// belong together, such as between two changes, the last ones that did are used.
func (n pemNames) renewed(cert, key Secret, pair tls.Certificate) func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	var last atomic.Pointer[tls.Certificate]
	last.Store(&pair)
	return func(wanted *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		if now, err := n.pair(cert.Reread(), key.Reread()); err == nil {
			last.Store(&now)
		}
		if own := last.Load(); wanted.SupportsCertificate(own) == nil {
			return own, nil
		}
		return &tls.Certificate{}, nil // none, as without this function
	}
}

func checkCertificates(text Secret) error {
	if text.Reveal() == "" {
		return nil
	}
	_, err := parseCertificates(text)
	return err
}

// parseCertificates reads one or more certificates and rejects everything else.
func parseCertificates(text Secret) ([]*x509.Certificate, error) {
	var list []*x509.Certificate
	rest := []byte(text.Reveal())
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		entry := len(list) + 1
		if block.Type != "CERTIFICATE" {
			return nil, problem(fmt.Sprintf("has an invalid entry %d (not a certificate)", entry))
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, problem(fmt.Sprintf("has an invalid entry %d (a certificate that cannot be parsed)", entry))
		}
		list = append(list, certificate)
	}
	switch {
	case len(list) == 0 && isPath(text):
		return nil, errPath
	case len(list) == 0:
		return nil, problem("has no PEM block")
	case strings.Contains(string(rest), "-----BEGIN"):
		return nil, problem(fmt.Sprintf("has an invalid entry %d (a PEM block that cannot be parsed)", len(list)+1))
	default:
		return list, nil
	}
}

// errPath says that the variable has a path instead of a file's content.
const errPath = advice("is a path: use the variable whose name ends in _FILE")

// checkKey checks the key against its certificate. Errors in the certificate are reported
// elsewhere.
func (n pemNames) checkKey(cert, key Secret) error {
	switch {
	case cert.Reveal() == "" && key.Reveal() == "":
		return nil
	case cert.Reveal() == "":
		return advice("is set, but " + string(n) + "CERT is not: set both, or neither")
	case key.Reveal() == "":
		return advice("is not set, but " + string(n) + "CERT is: set both, or neither")
	case checkCertificates(cert) != nil:
		return nil
	}
	_, err := n.pair(cert, key)
	return err
}

func (n pemNames) pair(cert, key Secret) (tls.Certificate, error) {
	pair, err := tls.X509KeyPair([]byte(cert.Reveal()), []byte(key.Reveal()))
	if err == nil {
		return pair, nil
	}
	block, _ := pem.Decode([]byte(key.Reveal()))
	switch {
	case block == nil && isPath(key):
		return pair, errPath
	case block == nil:
		return pair, problem("has no PEM block")
	case block.Type == "ENCRYPTED PRIVATE KEY", strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
		return pair, problem("is encrypted")
	default:
		return pair, problem("is not the private key of " + string(n) + "CERT")
	}
}

// isPath reports whether the text is a file's name instead of its content.
func isPath(text Secret) bool {
	return strings.ContainsAny(text.Reveal(), "/.") && !strings.Contains(text.Reveal(), "-----") && !strings.Contains(strings.TrimSpace(text.Reveal()), "\n")
}
