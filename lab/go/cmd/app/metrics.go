package main

import (
	"fmt"
	"io"
	"sort"
	"strconv"
	"sync"
	"time"
)

// bucketBounds are the classic defaults of Prometheus' client libraries, in seconds.
var bucketBounds = []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10}

type series struct{ code, method string }

// metrics counts app requests (never probes, scrapes or knobs) in Prometheus' text format.
// A series appears with its first request, as with the usual client libraries.
type metrics struct {
	mu       sync.Mutex
	requests map[series]uint64
	buckets  []uint64 // per bound, not cumulative; the last one is +Inf
	sum      float64
	started  time.Time
}

func newMetrics(started time.Time) *metrics {
	return &metrics{requests: map[series]uint64{}, buckets: make([]uint64, len(bucketBounds)+1), started: started}
}

func (m *metrics) observe(code int, method string, took time.Duration) {
	seconds := took.Seconds()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.requests[series{strconv.Itoa(code), method}]++
	m.buckets[sort.SearchFloat64s(bucketBounds, seconds)]++ // a bound belongs to its own bucket (le)
	m.sum += seconds
}

func (m *metrics) write(w io.Writer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	fmt.Fprint(w, "# HELP http_requests_total Requests served by the app.\n# TYPE http_requests_total counter\n")
	names := make([]series, 0, len(m.requests))
	for name := range m.requests {
		names = append(names, name)
	}
	sort.Slice(names, func(i, j int) bool {
		return names[i].code < names[j].code || names[i].code == names[j].code && names[i].method < names[j].method
	})
	for _, name := range names {
		fmt.Fprintf(w, "http_requests_total{code=%q,method=%q} %d\n", name.code, name.method, m.requests[name])
	}
	fmt.Fprint(w, "# HELP http_request_duration_seconds Time taken by the app.\n# TYPE http_request_duration_seconds histogram\n")
	var running uint64
	for i, bound := range bucketBounds {
		running += m.buckets[i]
		fmt.Fprintf(w, "http_request_duration_seconds_bucket{le=%q} %d\n", strconv.FormatFloat(bound, 'g', -1, 64), running)
	}
	running += m.buckets[len(bucketBounds)]
	fmt.Fprintf(w, "http_request_duration_seconds_bucket{le=\"+Inf\"} %d\n", running)
	fmt.Fprintf(w, "http_request_duration_seconds_sum %g\nhttp_request_duration_seconds_count %d\n", m.sum, running)
	fmt.Fprint(w, "# HELP process_start_time_seconds Start of the process, Unix seconds.\n# TYPE process_start_time_seconds gauge\n")
	fmt.Fprintf(w, "process_start_time_seconds %.3f\n", float64(m.started.UnixMilli())/1000)
}
