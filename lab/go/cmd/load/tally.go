package main

import (
	"math"
	"sort"
	"strconv"
	"sync"
	"time"
)

const (
	maxFailures = 100  // the first ones are told one by one, the rest is only counted
	maxVersions = 1000 // later ones are counted under "other"
	slices      = 1200 // of the latency scale: 1.02^1200 us is above 5 h
)

// stamp is written as Unix seconds with milliseconds, to be subtracted without parsing.
type stamp time.Time

func (s stamp) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(time.Time(s).UnixMilli())/1000, 'f', 3, 64), nil
}

type versionCount struct {
	First    stamp            `json:"first"` // when its first answer came
	Last     stamp            `json:"last"`
	Requests int64            `json:"requests"`
	Injected int64            `json:"injected"`
	Failed   int64            `json:"failed"`
	Statuses map[string]int64 `json:"statuses"`
}

type failure struct {
	Time    stamp  `json:"time"`
	Kind    string `json:"kind"` // "refused", "reset", "closed", "timeout", "status 503", ...
	Version string `json:"version,omitempty"`
}

// second counts the answers that came within one second of the clock, by version, status and injected.
type second struct {
	Unix   int64        `json:"unix"`
	Counts []groupCount `json:"counts"`
}

type group struct {
	version  string
	status   int
	injected bool
}

type groupCount struct {
	Version  string `json:"version"`
	Status   int    `json:"status"`
	Injected bool   `json:"injected"`
	Requests int64  `json:"requests"`
}

type latency struct {
	P50 float64 `json:"p50"`
	P90 float64 `json:"p90"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// line is one JSON line. All of it is cumulative, so that the newest line is enough, but for Seconds: those that were
// over since the line before.
type line struct {
	Time        stamp                   `json:"time"`
	Elapsed     float64                 `json:"elapsed_seconds"`
	Summary     bool                    `json:"summary,omitempty"`
	Requests    int64                   `json:"requests"` // finished
	OK          int64                   `json:"ok"`
	Injected    int64                   `json:"injected"`
	Failed      int64                   `json:"failed"`
	Dropped     int64                   `json:"dropped"`    // planned but never sent
	Reconnects  int64                   `json:"reconnects"` // kept connections found closed before sending
	Versions    map[string]versionCount `json:"versions"`
	Latency     latency                 `json:"latency_ms"` // from the planned instant, over the whole run, within 2 %
	FailedKinds map[string]int64        `json:"failed_kinds"`
	Failures    []failure               `json:"failures"`
	Seconds     []second                `json:"seconds"`
}

type tally struct {
	mu          sync.Mutex
	started     time.Time
	total       line
	versions    map[string]*versionCount
	kinds       map[string]int64
	failures    []failure
	seconds     map[int64]map[group]int64
	scale       [slices]int64
	longest     time.Duration
	printedUpTo int64
}

func newTally(started time.Time) *tally {
	return &tally{
		started: started, versions: map[string]*versionCount{}, kinds: map[string]int64{},
		seconds: map[int64]map[group]int64{},
	}
}

func (t *tally) drop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.total.Dropped++
}

func (t *tally) add(r result) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.total.Requests++
	if r.reconnected {
		t.total.Reconnects++
	}
	switch {
	case r.failed():
		t.total.Failed++
		kind := r.failure
		if kind == "" {
			kind = "status " + strconv.Itoa(r.status)
		}
		t.kinds[kind]++
		if len(t.failures) < maxFailures {
			t.failures = append(t.failures, failure{stamp(r.finished), kind, r.version})
		}
	case r.injected:
		t.total.Injected++
	default:
		t.total.OK++
	}
	if r.version != "" {
		t.version(r)
	}
	took := r.finished.Sub(r.planned)
	t.longest = max(t.longest, took)
	t.scale[slice(took)]++

	unix := max(r.finished.Unix(), t.printedUpTo+1) // a late one joins the first second that is still open
	counts := t.seconds[unix]
	if counts == nil {
		counts = map[group]int64{}
		t.seconds[unix] = counts
	}
	counts[group{r.version, r.status, r.injected}]++
}

func (t *tally) version(r result) {
	name := r.version
	if t.versions[name] == nil && len(t.versions) >= maxVersions {
		name = "other"
	}
	v := t.versions[name]
	if v == nil {
		v = &versionCount{First: stamp(r.finished), Statuses: map[string]int64{}}
		t.versions[name] = v
	}
	if r.finished.After(time.Time(v.Last)) {
		v.Last = stamp(r.finished)
	}
	v.Requests++
	v.Statuses[strconv.Itoa(r.status)]++
	if r.failed() {
		v.Failed++
	} else if r.injected {
		v.Injected++
	}
}

func (t *tally) line(now time.Time, summary bool) line {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.total
	l.Time, l.Elapsed, l.Summary = stamp(now), math.Round(now.Sub(t.started).Seconds()*1000)/1000, summary
	l.Versions = map[string]versionCount{}
	for name, v := range t.versions {
		copied := *v
		copied.Statuses = map[string]int64{}
		for status, n := range v.Statuses {
			copied.Statuses[status] = n
		}
		l.Versions[name] = copied
	}
	l.FailedKinds = map[string]int64{}
	for kind, n := range t.kinds {
		l.FailedKinds[kind] = n
	}
	l.Failures = append([]failure{}, t.failures...)
	l.Latency = latency{t.quantile(0.5), t.quantile(0.9), t.quantile(0.99), milliseconds(t.longest)}
	l.Seconds = t.closeSeconds(now.Unix(), summary)
	return l
}

// closeSeconds takes out the seconds that are over, all of them at the end.
func (t *tally) closeSeconds(current int64, all bool) []second {
	closed := []second{}
	for unix, counts := range t.seconds {
		if unix >= current && !all {
			continue
		}
		s := second{Unix: unix}
		for g, n := range counts {
			s.Counts = append(s.Counts, groupCount{g.version, g.status, g.injected, n})
		}
		sort.Slice(s.Counts, func(i, j int) bool {
			a, b := s.Counts[i], s.Counts[j]
			if a.Version != b.Version {
				return a.Version < b.Version
			}
			if a.Status != b.Status {
				return a.Status < b.Status
			}
			return b.Injected && !a.Injected
		})
		closed = append(closed, s)
		delete(t.seconds, unix)
		t.printedUpTo = max(t.printedUpTo, unix)
	}
	sort.Slice(closed, func(i, j int) bool { return closed[i].Unix < closed[j].Unix })
	return closed
}

// slice is the place of a duration on a scale whose steps are 2 %, from 1 us.
func slice(took time.Duration) int {
	if took <= time.Microsecond {
		return 0
	}
	return min(slices-1, int(math.Log(float64(took)/1000)/math.Log(1.02)))
}

func (t *tally) quantile(q float64) float64 {
	var total int64
	for _, n := range t.scale {
		total += n
	}
	var running int64
	for i, n := range t.scale {
		running += n
		if n > 0 && float64(running) >= q*float64(total) {
			return math.Round(math.Pow(1.02, float64(i)+0.5)) / 1000
		}
	}
	return 0
}

func milliseconds(d time.Duration) float64 { return math.Round(float64(d)/1000) / 1000 }
