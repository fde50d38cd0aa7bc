package controller

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
	"github.com/spokedns/spokedns/zonecontroller/keyfile"
	"github.com/spokedns/spokedns/zonecontroller/nameserver"
)

// pool is the servers as they are spoken to. A server is opened with the keys of its Secrets, which are read one by one:
// that needs the right to get Secrets, and not the one to list them.
type pool struct {
	secrets client.Reader
	dial    Dial

	mu    sync.Mutex
	links map[types.NamespacedName]*link
}

// link is one opened server.
type link struct {
	uid    types.UID
	spec   string // generation and the versions of the Secrets
	config nameserver.Config
	server Server
	err    error // why there is no server

	mu      sync.Mutex
	down    error     // why it is not asked for the time being; who polls it knows when that is over
	back    time.Time // when that was over last
	control time.Time // its control channel is left alone until then
	tries   int
}

// unusable is a DNSServer that cannot be spoken to as it is written.
type unusable struct{ reason, text string }

func (u *unusable) Error() string { return u.text }

func newPool(secrets client.Reader, dial Dial) *pool {
	return &pool{secrets: secrets, dial: dial, links: map[types.NamespacedName]*link{}}
}

// get is a server as it was opened last, if its spec is still the same.
func (p *pool) get(ctx context.Context, s *v1alpha1.DNSServer) *link {
	p.mu.Lock()
	l := p.links[keyOf(s)]
	p.mu.Unlock()
	if l != nil && l.uid == s.UID && strings.HasPrefix(l.spec, generation(s)) {
		return l
	}
	l, _ = p.refresh(ctx, s)
	return l
}

func generation(s *v1alpha1.DNSServer) string { return strconv.FormatInt(s.Generation, 10) + ";" }

// refresh reads the Secrets and opens the server anew if they, or its spec, are other than they were.
func (p *pool) refresh(ctx context.Context, s *v1alpha1.DNSServer) (l *link, changed bool) {
	config, spec, err := p.read(ctx, s)
	p.mu.Lock()
	defer p.mu.Unlock()
	old := p.links[keyOf(s)]
	if old != nil && old.uid == s.UID && old.spec == spec && sameError(old.err, err) {
		return old, false
	}
	u := (*unusable)(nil)
	if old != nil && old.uid == s.UID && old.server.Nameserver != nil && err != nil && !errors.As(err, &u) && strings.HasPrefix(old.spec, generation(s)) {
		return old, false // the API server could not be asked; nothing says that the keys are others
	}
	l = &link{uid: s.UID, spec: spec, config: config, err: err}
	if err == nil {
		if l.server, err = p.dial(config); err != nil {
			l.err = &unusable{reason: ReasonInvalidServer, text: err.Error()}
		}
	}
	p.links[keyOf(s)] = l
	if old != nil {
		go old.close()
	}
	return l, true
}

func sameError(a, b error) bool {
	return a == nil && b == nil || a != nil && b != nil && a.Error() == b.Error()
}

// close ends the connections, each after what is under way on it.
func (l *link) close() {
	if l.server.DNS != nil {
		_ = l.server.DNS.Close()
	}
}

// drop closes a server that is gone.
func (p *pool) drop(name types.NamespacedName) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l := p.links[name]; l != nil {
		go l.close()
		delete(p.links, name)
	}
}

// names are the servers that were opened.
func (p *pool) names() map[types.NamespacedName]*link {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make(map[types.NamespacedName]*link, len(p.links))
	for name, l := range p.links {
		if l.server.Nameserver != nil {
			all[name] = l
		}
	}
	return all
}

// read makes a server's settings of its object and Secrets. spec changes with any of them.
func (p *pool) read(ctx context.Context, s *v1alpha1.DNSServer) (c nameserver.Config, spec string, err error) {
	c = nameserver.Config{Name: keyOf(s).String(), Role: s.Spec.Role}
	spec = generation(s)
	if c.Address, err = withPort(s.Spec.Address, "53"); err != nil {
		return c, spec, &unusable{ReasonInvalidServer, fmt.Sprintf("spec.address: %v", err)}
	}
	c.TransferAddress = c.Address
	if s.Spec.TransferAddress != "" {
		if c.TransferAddress, err = withPort(s.Spec.TransferAddress, "53"); err != nil {
			return c, spec, &unusable{ReasonInvalidServer, fmt.Sprintf("spec.transferAddress: %v", err)}
		}
	}
	key := func(field string, ref v1alpha1.SecretReference) (keyfile.Key, error) {
		k, version, err := p.key(ctx, s.Namespace, ref.Name)
		spec += version + ";"
		if u := (*unusable)(nil); errors.As(err, &u) {
			return k, &unusable{u.reason, field + ": " + u.text}
		}
		return k, err
	}
	if s.Spec.TSIG != nil {
		if c.TSIG, err = key("spec.tsig", *s.Spec.TSIG); err != nil {
			return c, spec, err
		}
	}
	control := s.Spec.Control
	switch {
	case control == nil:
	case control.RNDC != nil:
		channel := &nameserver.RNDC{View: control.RNDC.View}
		if channel.Address, err = withPort(control.RNDC.Address, "953"); err != nil {
			return c, spec, &unusable{ReasonInvalidServer, fmt.Sprintf("spec.control.rndc.address: %v", err)}
		}
		if channel.Key, err = key("spec.control.rndc.key", control.RNDC.Key); err != nil {
			return c, spec, err
		}
		c.Control.RNDC = channel
	case control.Knot != nil:
		c.Control.Knot = &nameserver.Knot{Socket: control.Knot.Socket}
	case control.Catalog != nil:
		c.Control.Catalog = control.Catalog.Zone
	}
	return c, spec, nil
}

// key reads the Secret of a key.
func (p *pool) key(ctx context.Context, namespace, name string) (k keyfile.Key, version string, err error) {
	var s corev1.Secret
	if err := p.secrets.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, &s); err != nil {
		if apierrors.IsNotFound(err) {
			return k, "", &unusable{ReasonSecretNotFound, fmt.Sprintf("there is no Secret %s/%s: want one with the key's name, algorithm and secret", namespace, name)}
		}
		if apierrors.IsForbidden(err) {
			return k, "", &unusable{ReasonSecretNotFound, fmt.Sprintf("Secret %s/%s may not be read: %v", namespace, name, err)}
		}
		return k, "", fmt.Errorf("read Secret %s/%s: %w", namespace, name, err)
	}
	version = string(s.UID) + "@" + s.ResourceVersion
	if k, err = keyfile.Parse(s.Data); err != nil {
		return k, version, &unusable{ReasonSecretMalformed, fmt.Sprintf("Secret %s/%s: %v", namespace, name, err)}
	}
	return k, version, nil
}

// withPort is an address with its port.
func withPort(address, port string) (string, error) {
	if host, p, err := net.SplitHostPort(address); err == nil && host != "" {
		if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 {
			return "", fmt.Errorf("%q: port %q is not a number from 1 to 65535", address, p)
		}
		return address, nil
	}
	host := strings.TrimSuffix(strings.TrimPrefix(address, "["), "]")
	if host == "" || strings.Contains(host, "/") || strings.Count(host, ":") == 1 {
		return "", fmt.Errorf("%q is not an address: want one like 10.0.0.53, 10.0.0.53:5353 or [2001:db8::53]:53", address)
	}
	return net.JoinHostPort(host, port), nil
}

// pause is how long a control channel that does not answer is left alone: a second, and longer every time.
func (l *link) rest(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.control = now.Add(min(time.Second<<min(l.tries, 5), 30*time.Second))
	l.tries++
}

// rested says whether the control channel may be tried.
func (l *link) rested(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !now.Before(l.control)
}

func (l *link) worked() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.control, l.tries = time.Time{}, 0
}

// fell says that the server could not be reached, rose that it was; both whether that is news.
func (l *link) fell(err error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	news := l.down == nil
	l.down = err
	return news
}

func (l *link) rose() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	news := l.down != nil
	if news {
		l.back = time.Now()
	}
	l.down, l.control, l.tries = nil, time.Time{}, 0
	return news
}

// cameBack says whether the server was not reached, and is again, since a moment.
func (l *link) cameBack(since time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.back.After(since)
}

// reached is nil when the server is worth asking.
func (l *link) reached() error {
	if l.err != nil {
		return l.err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.down
}
