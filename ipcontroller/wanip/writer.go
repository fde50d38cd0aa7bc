package wanip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	maxConflicts   = 5                     // writes repeated because another came first
	conflictPause  = 50 * time.Millisecond // before the first of them; doubles, with jitter
	requestTimeout = 5 * time.Second       // of one request: well inside the 10 s a leader has to renew
)

// ConfigMaps is what a Writer needs of the API server, in one namespace. client-go's
// CoreV1().ConfigMaps(namespace) is one.
type ConfigMaps interface {
	Get(ctx context.Context, name string, opts metav1.GetOptions) (*corev1.ConfigMap, error)
	Create(ctx context.Context, cm *corev1.ConfigMap, opts metav1.CreateOptions) (*corev1.ConfigMap, error)
	Update(ctx context.Context, cm *corev1.ConfigMap, opts metav1.UpdateOptions) (*corev1.ConfigMap, error)
}

// WriterConfig says who writes what. ConfigMaps, Holder, Families and Logger are required.
type WriterConfig struct {
	ConfigMaps ConfigMaps
	Name       string // of the ConfigMap; default DefaultName
	Leader            // of this term of office: a Writer serves one
	Families   []Family
	Logger     *slog.Logger
}

// Writer is the elected leader's hand. It claims its epoch, then writes; it stops for good when another
// leader has written after it; it never deletes the ConfigMap, and never takes an address away without
// putting another in its place. It is safe for concurrent use.
type Writer struct {
	api    ConfigMaps
	name   string
	leader Leader
	log    *slog.Logger

	mu       sync.Mutex
	claimed  bool
	fenced   error
	found    map[Family]Finding // what is known of each managed family
	cgnat    bool
	cm       *corev1.ConfigMap // as it stands, by the last reply; nil: not known, to be read
	missing  bool              // it was read, and is not there
	stored   State             // what cm says
	intact   bool              // and whether that can be believed
	known    State             // the last that could be of every family: what is gone on from
	before   *State            // what the leader before has left
	reported int64             // sequence up to which changes have been returned
}

// FencedError says that another leader has taken over: whoever gets it is no leader any more.
type FencedError struct {
	Own    Leader
	Stored Leader
}

func (e *FencedError) Error() string {
	return fmt.Sprintf("wanip: deposed: %s on %s has written with epoch %d, and this is %s with epoch %d",
		e.Stored.Holder, e.Stored.Node, e.Stored.Epoch, e.Own.Holder, e.Own.Epoch)
}

// NewWriter returns a Writer for one term of office; its first act has to be Claim.
func NewWriter(c WriterConfig) *Writer {
	w := &Writer{api: c.ConfigMaps, name: c.Name, leader: c.Leader, log: c.Logger, found: map[Family]Finding{}}
	if w.name == "" {
		w.name = DefaultName
	}
	for _, f := range c.Families {
		w.found[f] = Finding{Status: Holding}
	}
	return w
}

// Claim writes this leader's name and epoch into the ConfigMap, and creates it if it is missing. It returns
// the State as the leader before left it: the addresses to go on from, and where they were detected; the zero
// State when there was none that could be believed. A ConfigMap that was edited by hand is replaced, whatever
// epoch stands in it.
func (w *Writer) Claim(ctx context.Context) (State, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.claimed || w.fenced != nil {
		return w.known, w.fenced
	}
	if err := w.read(ctx); err != nil {
		return State{}, err
	}
	if w.before == nil || w.known.Leader != w.leader { // else it is our own claim, whose reply was lost
		before := w.known
		w.before = &before
	}
	before := *w.before
	w.reported = w.known.Sequence
	for f := range w.found {
		if stored := before.Of(f); stored.Status != "" {
			w.found[f] = stored
		}
	}
	w.cgnat = before.BehindCGNAT
	if err := w.put(ctx); err != nil {
		return State{}, err
	}
	w.claimed = true
	return before, nil
}

// Write takes what detection has found and writes it if it is due (Due). It returns the changes of addresses
// that have reached the ConfigMap since the last call. After an error nothing is forgotten: the next call,
// which needs no reports, tries again. A *FencedError is final. Before a Claim nothing is written.
func (w *Writer) Write(ctx context.Context, reports ...Report) ([]Change, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fenced != nil {
		return nil, w.fenced
	}
	if !w.claimed {
		return nil, errors.New("wanip: write: not before a claim")
	}
	var refused []error
	for _, r := range reports {
		if err := w.note(r); err != nil {
			refused = append(refused, fmt.Errorf("wanip: report: %w", err))
		}
	}
	if err := w.put(ctx); err != nil {
		return nil, errors.Join(append(refused, err)...)
	}
	return w.changes(), errors.Join(refused...)
}

// Check reads the ConfigMap and puts it right, if it has been edited or deleted by hand. Without it that is
// noticed with the next write.
func (w *Writer) Check(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fenced != nil || !w.claimed {
		return w.fenced
	}
	w.forget()
	return w.put(ctx)
}

// SetBehindCGNAT notes, for the next Write, whether the site is behind carrier-grade NAT; that is due at once.
func (w *Writer) SetBehindCGNAT(yes bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cgnat = yes
}

// State is what was last written or read.
func (w *Writer) State() State {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.known
}

func (w *Writer) note(r Report) error {
	old, managed := w.found[r.Family]
	if !managed {
		return fmt.Errorf("%s is not managed", r.Family)
	}
	found, err := old.After(r)
	if err == nil {
		w.found[r.Family] = found
	}
	return err
}

// changes are those not yet returned.
func (w *Writer) changes() (out []Change) {
	for _, c := range w.known.History {
		if c.Sequence > w.reported {
			out = append(out, c)
		}
	}
	w.reported = w.known.Sequence
	return out
}

// put writes what is known, if it is due. When another write came first it reads that and decides again.
func (w *Writer) put(ctx context.Context) error {
	for conflicts := 0; ; conflicts++ {
		overtaken, err := w.try(ctx)
		if err == nil || !overtaken {
			return err
		}
		if conflicts == maxConflicts {
			return fmt.Errorf("%w (%d times in a row)", err, conflicts+1)
		}
		pause := conflictPause << conflicts
		pause += rand.N(pause)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// try makes one attempt: read unless it is known what stands there, decide, write. It reports whether
// another writer came in between.
func (w *Writer) try(ctx context.Context) (overtaken bool, err error) {
	if w.cm == nil && !w.missing {
		if err := w.read(ctx); err != nil {
			return false, err
		}
	}
	base, why := w.known, ""
	if !w.intact {
		base.Sequence = max(base.Sequence, w.salvage())
		why = "repair"
	}
	if w.missing {
		why = "create"
	}
	next := Next(base, w.found, w.cgnat, w.leader, time.Now())
	if why == "" {
		why = Due(w.stored, next)
	}
	if why == "" {
		return false, nil
	}
	return w.send(ctx, next, why)
}

func (w *Writer) send(ctx context.Context, next State, why string) (overtaken bool, err error) {
	create := w.missing
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: w.name}}
	if !create {
		cm = w.cm.DeepCopy()
	}
	if err := encodeInto(cm, next); err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if create {
		cm, err = w.api.Create(ctx, cm, metav1.CreateOptions{})
		overtaken = apierrors.IsAlreadyExists(err)
	} else {
		cm, err = w.api.Update(ctx, cm, metav1.UpdateOptions{})
		overtaken = apierrors.IsConflict(err) || apierrors.IsNotFound(err)
	}
	if err != nil {
		// Whatever happened, it is no longer known what stands there: a lost reply may follow a write.
		w.forget()
		return overtaken, fmt.Errorf("wanip: write %s: %w", w.name, err)
	}
	w.cm, w.missing, w.intact, w.stored, w.known = cm, false, true, next, next
	w.log.Debug("wrote the WAN address", "configmap", w.name, "why", why, "sequence", next.Sequence,
		"ipv4", next.IPv4.Addr, "ipv6", next.IPv6.Addr)
	return false, nil
}

func (w *Writer) forget() { w.cm, w.missing, w.stored, w.intact = nil, false, State{}, false }

// read finds out what stands there now, and whether this leader has been deposed.
func (w *Writer) read(ctx context.Context) error {
	w.forget()
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	cm, err := w.api.Get(ctx, w.name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		w.missing = true
		if w.claimed {
			w.log.Warn("the ConfigMap has been deleted: creating it again", "configmap", w.name)
		}
		return nil
	case err != nil:
		return fmt.Errorf("wanip: read %s: %w", w.name, err)
	}
	stored, err := Decode(cm)
	w.cm, w.stored, w.intact = cm, stored, err == nil
	if err != nil {
		w.log.Warn("the ConfigMap cannot be believed: replacing it", "configmap", w.name, "error", err)
		return nil
	}
	other := stored.Epoch == w.leader.Epoch && stored.Holder != w.leader.Holder && w.claimed
	if stored.Epoch > w.leader.Epoch || other {
		w.fenced = &FencedError{Own: w.leader, Stored: stored.Leader}
		return w.fenced
	}
	for _, f := range Families() { // what is garbage in one family does not make its address forgotten
		if stored.Of(f).Problem != "" {
			stored.set(f, w.known.Of(f))
		}
	}
	w.known = stored
	return nil
}

// salvage is the sequence of a ConfigMap that cannot be believed otherwise: the next has to be higher still.
func (w *Writer) salvage() int64 {
	if w.cm == nil {
		return 0
	}
	n, err := strconv.ParseInt(w.cm.Data[keySequence], 10, 64)
	if err != nil || n < 0 || n >= maxSequence/2 {
		return 0
	}
	return n
}
