package controller

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"slices"

	"github.com/spokedns/spokedns/zonecontroller/api/v1alpha1"
	"github.com/spokedns/spokedns/zonecontroller/nameserver"
)

// Clocks farther apart than a second are told; from five minutes on no server takes our signatures (RFC 8945 §5.2.3).
const (
	noticedSkew = 2 * time.Second
	fatalSkew   = 5 * time.Minute
)

// ReconcileServer looks at one DNSServer: its keys, whether it answers, whether zones can be made on it.
func (c *Controller) ReconcileServer(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var s v1alpha1.DNSServer
	err := c.client.Get(ctx, req.NamespacedName, &s)
	if apierrors.IsNotFound(err) {
		c.pool.drop(req.NamespacedName)
		return reconcile.Result{}, nil
	}
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("read DNSServer: %w", err)
	}
	l, changed := c.pool.refresh(ctx, &s)
	zones, err := c.users(ctx, req.NamespacedName)
	if err != nil {
		return reconcile.Result{}, err
	}
	if changed {
		c.look(ctx, zones...)
	}
	switch {
	case s.DeletionTimestamp != nil && len(zones) == 0:
		if err := c.letGo(ctx, &s); err != nil {
			return reconcile.Result{}, err
		}
		c.pool.drop(req.NamespacedName)
		return reconcile.Result{}, nil
	case s.DeletionTimestamp == nil && !controllerutil.ContainsFinalizer(&s, v1alpha1.Finalizer):
		if err := c.patchFinalizers(ctx, &s, append(slices.Clone(s.Finalizers), v1alpha1.Finalizer)); err != nil {
			return reconcile.Result{}, err
		}
	}
	health, probeErr := c.probe(ctx, l)
	c.describe(&s, health, probeErr, len(zones), time.Now())
	wait := c.opts.Probe
	if s.DeletionTimestamp != nil {
		wait = min(wait, time.Second) // its zones leave
	}
	return reconcile.Result{RequeueAfter: wait}, nil
}

// users are the zones that are on a server, or are to be: as far as objects tell, and as this process knows.
func (c *Controller) users(ctx context.Context, server types.NamespacedName) ([]types.NamespacedName, error) {
	var list v1alpha1.DNSZoneList
	if err := c.client.List(ctx, &list, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("list DNSZones: %w", err)
	}
	var zones []types.NamespacedName
	known := c.memory.known()
	for _, p := range c.memory.on(server) {
		zones = append(zones, p.zone)
	}
	for i := range list.Items {
		z := &list.Items[i]
		if !known[keyOf(z)] && holds(z, server) { // what we know is newer than what we read
			zones = append(zones, keyOf(z))
		}
	}
	return zones, nil
}

func (c *Controller) probe(ctx context.Context, l *link) (nameserver.Health, error) {
	if l.err != nil {
		return nameserver.Health{}, l.err
	}
	ctx, cancel := context.WithTimeout(ctx, c.opts.Call)
	defer cancel()
	return l.server.Probe(ctx)
}

// describe has the server's status say how it is.
func (c *Controller) describe(s *v1alpha1.DNSServer, h nameserver.Health, err error, zones int, now time.Time) {
	status := s.Status.DeepCopy()
	set := func(kind string, good bool, reason, message string) {
		setCondition(&status.Conditions, s.Generation, now, kind, good, reason, message)
	}
	status.ObservedGeneration = s.Generation
	status.Zones = int32(zones) //nolint:gosec // a cluster holds fewer
	status.ClockSkew = nil
	if h.Version != "" {
		status.Version = h.Version
	}
	if h.Skew.Abs() >= noticedSkew {
		status.ClockSkew = &metav1.Duration{Duration: h.Skew.Round(time.Second)}
	}
	ready, reason, message := true, ReasonUsable, "zones can be on it"
	problem := func(r, m string) {
		if ready {
			ready, reason, message = false, r, m
		}
	}
	u := (*unusable)(nil)
	switch {
	case errors.As(err, &u):
		problem(u.reason, u.text)
		set(v1alpha1.Reachable, false, u.reason, "it was not asked")
	case err != nil && classify(err) == denied:
		problem(ReasonDenied, fmt.Sprintf("it does not accept our key: %v; want the Secret of spec.tsig to hold a key that the server knows by the same name", err))
		set(v1alpha1.Reachable, true, ReasonAnswers, "it answers")
	case err != nil:
		problem(ReasonUnreachable, err.Error())
		set(v1alpha1.Reachable, false, ReasonUnreachable, err.Error())
	default:
		set(v1alpha1.Reachable, true, ReasonAnswers, "it answers")
	}
	if h.Skew.Abs() >= fatalSkew {
		problem(ReasonClockSkewed, fmt.Sprintf("its clock is %s from ours, and signatures hold for %s: want both clocks set", h.Skew.Round(time.Second), fatalSkew))
	}
	c.describeControl(s, h, err, set, problem)
	if s.DeletionTimestamp != nil {
		problem(ReasonInUse, fmt.Sprintf("it is being deleted, and %d zones have still to leave it", zones))
	}
	set(v1alpha1.Ready, ready, reason, message)
	if !equality.Semantic.DeepEqual(*status, s.Status) {
		c.statuses.set(serverKind, keyOf(s), s.UID, status)
	}
}

func (c *Controller) describeControl(s *v1alpha1.DNSServer, h nameserver.Health, err error, set func(kind string, good bool, reason, message string), problem func(reason, message string)) {
	refused := (*nameserver.Denied)(nil)
	switch control := s.Spec.Control; {
	case control == nil:
		set(v1alpha1.Controlled, false, ReasonMadeElsewhere, "no control is given: zones are made elsewhere, and expected")
	case control.Catalog != nil:
		set(v1alpha1.Controlled, true, ReasonInControl, "it follows catalog zone "+control.Catalog.Zone)
	case h.Controlled:
		set(v1alpha1.Controlled, true, ReasonInControl, "zones can be made on it")
	case errors.As(h.Control, &refused):
		set(v1alpha1.Controlled, false, ReasonDenied, h.Control.Error())
		problem(ReasonDenied, h.Control.Error())
	case h.Control != nil:
		set(v1alpha1.Controlled, false, ReasonControlUnreachable, h.Control.Error())
		problem(ReasonControlUnreachable, h.Control.Error())
	case err != nil:
		set(v1alpha1.Controlled, false, ReasonControlUnreachable, "it was not asked")
	}
}
