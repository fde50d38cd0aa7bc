package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	coordinationclient "k8s.io/client-go/kubernetes/typed/coordination/v1"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	eventsclient "k8s.io/client-go/kubernetes/typed/events/v1"
	"k8s.io/client-go/rest"

	"github.com/spokedns/spokedns/ipcontroller/detect"
	"github.com/spokedns/spokedns/ipcontroller/wanip"
)

// controller is the program at work.
type controller struct {
	settings  *commandLine
	log       *slog.Logger
	configMap *followed
	reader    *wanip.Reader
	detectors []*detect.Detector
	election  *election
	registry  *prometheus.Registry
	metrics   *metrics
	journal   *journal
	events    *events

	epoch atomic.Int64 // of the term it leads in, plus 1; 0: it does not
}

func newController(c *commandLine, cluster *rest.Config, log *slog.Logger) (*controller, error) {
	cluster = rest.CopyConfig(cluster)
	reader, err := wanip.NewReader(wanip.ReaderConfig{Client: cluster, Namespace: c.Namespace, Name: c.ConfigMap, Logger: log})
	if err != nil {
		return nil, err
	}
	cluster.ContentType = "application/json"
	cluster.Timeout = c.RenewDeadline / 2 // a silent API server gets a second try within a term
	core, err := coreclient.NewForConfig(cluster)
	if err != nil {
		return nil, err
	}
	leases, err := coordinationclient.NewForConfig(cluster)
	if err != nil {
		return nil, err
	}
	plans, err := c.Detect.Plans(objects{core})
	if err != nil {
		return nil, err
	}
	p := &controller{
		settings: c, log: log, reader: reader,
		configMap: &followed{ConfigMaps: core.ConfigMaps(c.Namespace)},
		registry:  prometheus.NewRegistry(),
	}
	p.election = &election{
		leases: leases.Leases(c.Namespace), name: c.Lease, identity: c.Identity, lead: p.lead, log: log,
		duration: c.LeaseDuration, deadline: c.RenewDeadline, period: c.RetryPeriod,
	}
	p.metrics = newMetrics(p.registry)
	p.journal = newJournal()
	if c.Events {
		client, err := eventsclient.NewForConfig(cluster)
		if err != nil {
			return nil, err
		}
		p.events = newEvents(client.Events(c.Namespace), c, p.configMap.UID, p.metrics, log)
	}
	for _, plan := range plans {
		p.detectors = append(p.detectors, detect.New(plan, p.observe))
	}
	p.registry.MustRegister(gauges{p})
	return p, nil
}

// run works until ctx ends. The listener is there first and goes last.
func (p *controller) run(ctx context.Context) error {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", p.settings.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	p.log.Info("listening", "address", listener.Addr().String())
	server := &http.Server{Handler: p.handler(), ReadHeaderTimeout: 5 * time.Second, ErrorLog: slog.NewLogLogger(p.log.Handler(), slog.LevelWarn)}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	var served error
	all.Go(func() {
		if served = server.Serve(listener); errors.Is(served, http.ErrServerClosed) {
			served = nil
		}
		cancel()
	})
	all.Go(func() { _ = p.reader.Run(ctx) }) // it ends with its context, without an error
	all.Go(func() { p.events.run(ctx) })
	all.Go(func() { p.follow(ctx) })
	p.election.run(ctx)
	cancel()
	server.Close()
	all.Wait()
	return served
}

// lead is one term of office.
func (p *controller) lead(ctx context.Context, epoch int64) error {
	p.log.Info("leading", "epoch", epoch)
	self := wanip.Leader{Holder: p.settings.Identity, Node: p.settings.Node, Epoch: epoch}
	var families []wanip.Family
	for _, d := range p.detectors {
		families = append(families, d.Family())
	}
	o := &office{
		writer: wanip.NewWriter(wanip.WriterConfig{
			ConfigMaps: p.configMap, Name: p.settings.ConfigMap, Leader: self, Families: families, Logger: p.log,
		}),
		reader: p.reader, log: p.log, came: make(chan struct{}, 1),
		wrote:  func(err error) { p.metrics.writes.WithLabelValues(result(err)).Inc() },
		tell:   p.tell,
		change: p.changed,
	}
	p.epoch.Store(epoch + 1)
	defer p.epoch.Store(0)
	return o.lead(ctx, self, p.detectors)
}

func (p *controller) leading() bool { return p.epoch.Load() > 0 }

// observe takes note of every lookup.
func (p *controller) observe(f detect.Family, a detect.Answer) {
	p.metrics.observe(f, a)
	published := p.reader.Snapshot(time.Now()).Of(f).Addr
	p.journal.note(f, a.Source.Name, a.At, markOf(a.Addr, published))
}

// tell takes note of every report.
func (p *controller) tell(r detect.Report) {
	p.metrics.report(r)
	p.journal.found(r)
	p.events.report(r)
	if r.Changed {
		p.log.Info("the address has changed", "family", r.Family, "from", r.Previous, "to", r.Addr, "why", r.Reason)
	}
}

// changed takes note of a change that has reached the ConfigMap.
func (p *controller) changed(c wanip.Change, now wanip.State) {
	p.metrics.changes.WithLabelValues(c.Family.String()).Inc()
	p.events.changed(c, now)
}
