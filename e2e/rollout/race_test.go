package rollout

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/spokedns/spokedns/corednsconfig/rollout"
)

// TestRacingWriters lets a thousand edits of others meet edits of ours, which come and go all the while.
func TestRacingWriters(t *testing.T) {
	l := newLand(t)
	const writers, edits = 8, 125
	stop := make(chan struct{})
	var ours sync.WaitGroup
	var written, busy atomic.Int64
	ours.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			e := l.engine(t, rollout.Options{Notify: onWritten(cancel)}) // to be written is enough here
			var r rollout.Report
			var err error
			if i%2 == 0 {
				r, err = e.Apply(ctx, l.cluster(), l.wish())
			} else {
				r, err = e.Remove(ctx, l.cluster())
			}
			switch {
			case r.Changed:
				written.Add(1)
			case apierrors.IsConflict(err):
				busy.Add(1)
			case err != nil && ctx.Err() == nil:
				t.Errorf("%v\n%s", err, show(r))
			}
			cancel()
		}
	})
	var g errgroup.Group
	for w := range writers {
		g.Go(func() error {
			for i := range edits {
				if err := l.addLine(t.Context(), fmt.Sprintf("# edit %d of writer %d", i, w)); err != nil {
					return err
				}
				time.Sleep(rand.N(120 * time.Millisecond))
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	close(stop)
	ours.Wait()
	e := l.engine(t, rollout.Options{})
	l.apply(t, e, l.wish())
	text := l.corefile(t)
	if n := strings.Count(text, "openmcp.cluster:"); n != 1 {
		t.Errorf("want one block of ours, got %d", n)
	}
	if _, err := e.Remove(t.Context(), l.cluster()); err != nil {
		t.Fatal(err)
	}
	lost := 0
	for w := range writers {
		for i := range edits {
			if strings.Count(l.corefile(t), fmt.Sprintf("# edit %d of writer %d\n", i, w)) != 1 {
				lost++
			}
		}
	}
	rest := withoutEdits(l.corefile(t))
	t.Logf("%d edits of others beside %d of ours (%d given up after five tries): %d lost", writers*edits, written.Load(), busy.Load(), lost)
	if lost != 0 || rest != l.original {
		t.Errorf("%d edits lost; besides them is left:\n%s", lost, rest)
	}
	if written.Load() < 5 { // on a busy machine each of ours takes its time
		t.Errorf("ours were written %d times; that is no race", written.Load())
	}
}

// addLine adds a line at the head of the Corefile, as a careful writer does.
func (l *land) addLine(ctx context.Context, line string) error {
	maps := l.api.CoreV1().ConfigMaps("kube-system")
	for {
		cm, err := maps.Get(ctx, "coredns", metav1.GetOptions{})
		if err != nil {
			return err
		}
		cm.Data["Corefile"] = line + "\n" + cm.Data["Corefile"]
		_, err = maps.Update(ctx, cm, metav1.UpdateOptions{})
		if !apierrors.IsConflict(err) {
			return err
		}
	}
}

func withoutEdits(text string) string {
	var kept []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "# edit ") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

// TestHungCluster asks a cluster that takes connections and says nothing.
func TestHungCluster(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
		}
	}()
	e := newEngine(t, rollout.Options{Call: time.Second})
	c := rollout.Cluster{Name: "hung", Config: &rest.Config{Host: "http://" + listener.Addr().String()}}
	for name, call := range map[string]func(context.Context) (rollout.Report, error){
		"Plan": func(ctx context.Context) (rollout.Report, error) {
			p, err := e.Plan(ctx, c, rollout.Wish{Forwards: nil})
			return p.Report, err
		},
		"Apply":  func(ctx context.Context) (rollout.Report, error) { return e.Apply(ctx, c, anyWish()) },
		"Check":  func(ctx context.Context) (rollout.Report, error) { return e.Check(ctx, c, anyWish()) },
		"Remove": func(ctx context.Context) (rollout.Report, error) { return e.Remove(ctx, c) },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		r, err := call(ctx)
		if err == nil || ctx.Err() != nil {
			t.Errorf("%s: want it to give up by itself, got %v", name, err)
		}
		want(t, r, map[string]string{rollout.Detected: "Unknown/Unreachable"})
		cancel()
	}
}

func anyWish() rollout.Wish {
	return (&land{upstream: &upstream{}}).wish()
}
