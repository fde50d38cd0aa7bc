package stack

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// Metrics is one scrape of a Prometheus endpoint.
type Metrics map[string]*dto.MetricFamily

// Scrape reads the metrics at url.
func Scrape(ctx context.Context, url string) (Metrics, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("scrape %s: %s", url, resp.Status)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	return parser.TextToMetricFamilies(resp.Body)
}

// Sum adds up a metric's samples that carry every given label, "view=public"; histograms count their
// observations. A metric that does not exist sums up to 0, as counters do before their first event.
func (m Metrics) Sum(name string, labels ...string) float64 {
	var sum float64
	for _, sample := range m[name].GetMetric() {
		if !carries(sample, labels) {
			continue
		}
		sum += sample.GetCounter().GetValue() + sample.GetGauge().GetValue() + sample.GetUntyped().GetValue() +
			float64(sample.GetHistogram().GetSampleCount())
	}
	return sum
}

func carries(sample *dto.Metric, labels []string) bool {
	has := make(map[string]string, len(sample.GetLabel()))
	for _, l := range sample.GetLabel() {
		has[l.GetName()] = l.GetValue()
	}
	for _, want := range labels {
		name, value, _ := strings.Cut(want, "=")
		if v, ok := has[name]; !ok || v != value {
			return false
		}
	}
	return true
}
