package route53

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	service "github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/aws/smithy-go"

	"github.com/spokedns/spokedns/webhook/backend"
	"github.com/spokedns/spokedns/webhook/backend/apicall"
)

const (
	// enoughDenials is how many units in a row are refused for lack of rights before the rest is not tried.
	enoughDenials = 3
	// enoughOutages is how many calls in a row fail for good before the rest is not tried.
	enoughOutages = 2
	// enoughChecks is how often a unit is judged anew before it is given up.
	enoughChecks = 3
	// enoughSurprises is how many units have to stand otherwise than believed until no belief counts.
	enoughSurprises = 2
)

// sendAll writes batch after batch.
func (w *writer) sendAll(ctx context.Context, batches [][]*unit) {
	for _, batch := range batches {
		w.send(ctx, batch)
	}
}

var errStopped = errors.New("the service did not do what was asked before")

// send writes units in one request. What the service refuses is isolated and everything else is made.
func (w *writer) send(ctx context.Context, batch []*unit) {
	if len(batch) == 0 {
		return
	}
	if ctx.Err() != nil || w.whole != nil || w.outages >= enoughOutages {
		w.stop(ctx, batch, errStopped)
		return
	}
	if len(batch) == 1 && !batch[0].size.fits() {
		w.apart(ctx, batch[0])
		return
	}
	var deletes, creates []write
	for _, u := range batch {
		deletes, creates = append(deletes, u.deletes...), append(creates, u.creates...)
	}
	err := w.request(ctx, deletes, creates)
	switch {
	case err == nil:
		for _, u := range batch {
			w.made += len(u.changes)
		}
	case isGone(err):
		w.whole = w.backend.failed(opUpdate, w.zone, err)
	case isRefusal(err):
		w.isolate(ctx, batch, err)
	default:
		w.outage(ctx, batch, err)
	}
}

// request makes one request, and remembers what it did.
func (w *writer) request(ctx context.Context, deletes, creates []write) error {
	in := &service.ChangeResourceRecordSetsInput{HostedZoneId: &w.zone.id, ChangeBatch: &types.ChangeBatch{}}
	for _, d := range deletes {
		in.ChangeBatch.Changes = append(in.ChangeBatch.Changes, types.Change{Action: types.ChangeActionDelete, ResourceRecordSet: d.raw})
	}
	for _, c := range creates {
		in.ChangeBatch.Changes = append(in.ChangeBatch.Changes, types.Change{Action: types.ChangeActionCreate, ResourceRecordSet: c.raw})
	}
	if _, err := w.backend.client.ChangeResourceRecordSets(ctx, in, inTime(ctx)); err != nil {
		return err
	}
	w.denials, w.outages = 0, 0
	set := func(k backend.Key, s *stored) {
		name := wireName(k.Name)
		w.believed.learn(name, replaced(w.believed.at(name), k, s))
	}
	for _, d := range deletes {
		set(d.key, nil)
	}
	for _, c := range creates {
		set(c.key, &stored{c.raw, c.set})
	}
	return nil
}

// isRefusal reports whether the service refuses a batch for what is in it.
func isRefusal(err error) bool {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return false
	}
	var asked, inner *smithy.OperationError
	if errors.As(err, &asked) && errors.As(asked.Err, &inner) {
		return false // it is STS that refuses
	}
	switch kindOf(err) {
	case backend.Rejected, backend.Conflict:
		return true
	case backend.Denied: // rights can depend on names and types of records
		return strings.HasPrefix(api.ErrorCode(), "AccessDenied")
	}
	return false
}

// outage reports a request that failed for no fault of its own. Whether it was carried out is unknown,
// unless the service said that it was not.
func (w *writer) outage(ctx context.Context, batch []*unit, err error) {
	w.outages++
	if result := resultOf(err); result == apicall.Failed || result == apicall.NoAnswer {
		for _, u := range batch {
			for _, name := range u.names() {
				w.believed.unknown[name] = true
			}
		}
	}
	if ctx.Err() != nil {
		w.stop(ctx, batch, err)
		return
	}
	for _, u := range batch {
		w.fail(u.all(kindOf(err), plain(err)))
	}
}

// isolate finds the units for which a batch is refused. The service names the records in its messages, so
// those are set apart first; where it names none, or not all, halving finds them.
func (w *writer) isolate(ctx context.Context, batch []*unit, err error) {
	w.backend.log.Debug("a change batch is refused", "zone", w.zone.name, "units", len(batch), "reason", plain(err))
	denied := kindOf(err) == backend.Denied
	switch {
	case denied && len(batch) == 1:
		w.denials++
		w.fail(batch[0].all(backend.Denied, plain(err)))
		return
	case denied && w.denials >= enoughDenials:
		for _, u := range batch {
			w.fail(u.all(backend.Denied, plain(err)))
		}
		return
	case len(batch) == 1 && batch[0].confirmed:
		w.fail(batch[0].refusedFor(err))
		return
	case len(batch) == 1:
		w.check(ctx, batch, err)
		return
	case denied:
		w.halve(ctx, batch)
		return
	}
	named, others := accused(batch, err)
	if len(named) > 0 && len(others) > 0 && w.surprises < enoughSurprises {
		w.send(ctx, others)
		batch = named
	}
	if slices.ContainsFunc(batch, func(u *unit) bool { return !u.confirmed }) && (len(named) > 0 || w.surprises >= enoughSurprises) {
		w.check(ctx, batch, err)
		return
	}
	w.halve(ctx, batch)
}

// halve sends each half of a refused batch by itself.
func (w *writer) halve(ctx context.Context, batch []*unit) {
	half := len(batch) / 2
	w.send(ctx, batch[:half])
	w.send(ctx, batch[half:])
}

// accused are the units with a record that the service names in its refusal, and the others.
func accused(batch []*unit, err error) (named, others []*unit) {
	var refusal *types.InvalidChangeBatch
	text := ""
	if errors.As(err, &refusal) {
		text = strings.Join(refusal.Messages, "\n")
	}
	for _, u := range batch {
		if slices.ContainsFunc(u.mentionable(), func(name string) bool { return mentions(text, name) }) {
			named = append(named, u)
		} else {
			others = append(others, u)
		}
	}
	return named, others
}

// mentions reports whether a message is about a name: name='www.example.org.', or DNS name www.example.org.
func mentions(text, name string) bool {
	for rest := text; ; {
		at := strings.Index(rest, name)
		if at < 0 {
			return false
		}
		if at == 0 || strings.IndexByte("' (", rest[at-1]) >= 0 {
			return true
		}
		rest = rest[at+len(name):]
	}
}

// check judges units by what the service says now, after it refused them for cause, or before anything
// was sent (cause is nil). What is still to be written is sent again.
func (w *writer) check(ctx context.Context, units []*unit, cause error) {
	var names []string
	before := make(map[*unit]string, len(units))
	for _, u := range units {
		u.checks++
		names = append(names, u.names()...)
		before[u] = u.fingerprint()
	}
	if err := w.refresh(ctx, names); err != nil {
		w.stop(ctx, units, err)
		return
	}
	ready := w.judged(units, func(_ *unit, refused []*backend.Error) { w.fail(refused) })
	var again []*unit
	confirmed := 0
	for _, u := range ready {
		u.confirmed = cause != nil && u.fingerprint() == before[u]
		switch {
		case u.confirmed:
			confirmed++
			again = append(again, u)
		case u.checks >= enoughChecks:
			w.fail(u.all(backend.Temporary, errUnsteady))
		default:
			again = append(again, u)
		}
	}
	switch {
	case cause == nil || confirmed < len(units):
		if cause != nil {
			w.surprises += len(units) - confirmed
		}
		w.sendAll(ctx, pack(again))
	case len(units) == 1:
		w.fail(units[0].refusedFor(cause))
	default:
		w.halve(ctx, units) // everything stands as believed, so the fault is in what is asked for
	}
}

var errUnsteady = errors.New("what stands changes as often as it is looked at")

// fingerprint tells writes apart.
func (u *unit) fingerprint() string {
	var b strings.Builder
	for _, d := range u.deletes {
		b.WriteString("-" + d.key.String() + rawText(d.raw))
	}
	for _, c := range u.creates {
		b.WriteString("+" + c.key.String())
	}
	return b.String()
}

// rawText is all that a record set says.
func rawText(raw *types.ResourceRecordSet) string {
	var b strings.Builder
	fmt.Fprint(&b, aws.ToInt64(raw.TTL), aws.ToInt64(raw.Weight), raw.Region, raw.Failover, aws.ToBool(raw.MultiValueAnswer), aws.ToString(raw.HealthCheckId))
	for _, r := range raw.ResourceRecords {
		b.WriteString(" " + aws.ToString(r.Value))
	}
	if a := raw.AliasTarget; a != nil {
		fmt.Fprint(&b, aws.ToString(a.DNSName), aws.ToString(a.HostedZoneId), a.EvaluateTargetHealth)
	}
	return b.String()
}

// refusedFor reports a unit that the service refuses although nothing known stands against it.
func (u *unit) refusedFor(cause error) []*backend.Error {
	kind := kindOf(cause)
	var guilty []*backend.Error
	for _, c := range u.changes {
		if mentions(explained(cause), wireName(c.Key().Name)) {
			guilty = append(guilty, &backend.Error{Kind: kind, Key: c.Key(), Err: plain(cause)})
		}
	}
	if guilty == nil {
		return u.all(kind, plain(cause))
	}
	return u.withCompanions(guilty)
}

// refresh reads what stands at names, by name or, where that takes more requests, all of the zone.
func (w *writer) refresh(ctx context.Context, names []string) error {
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) > w.believed.pages() {
		var all []stored
		err := w.backend.page(ctx, w.zone, "", func(raw *types.ResourceRecordSet) bool {
			all = append(all, w.backend.store(w.zone, raw))
			return true
		})
		if err == nil {
			w.believed.refreshed(newContent(all))
		}
		return err
	}
	for _, name := range names {
		all, err := w.backend.at(ctx, w.zone, name)
		if err != nil {
			return err
		}
		w.believed.learn(name, all)
	}
	return nil
}
