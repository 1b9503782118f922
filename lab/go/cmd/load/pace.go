package main

import (
	"context"
	"sync"
	"time"
)

// pace plans instants at a constant rate that may be changed while it runs.
type pace struct {
	mu   sync.Mutex
	rate float64 // requests per second
}

func newPace(rate float64) *pace { return &pace{rate: rate} }

func (p *pace) set(rate float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rate = rate
}

func (p *pace) gap() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Duration(float64(time.Second) / p.rate)
}

// maxNap bounds one sleep, so that a change of rate is felt soon.
const maxNap = 50 * time.Millisecond

// run plans until the context ends or max requests were planned. After a stall of this process it catches up: the
// planned instants stand, so that a stall is seen as latency and not as missing load.
func (p *pace) run(ctx context.Context, planned chan<- time.Time, max int64, tally *tally) {
	next := time.Now()
	for count := int64(0); count < max; {
		if ctx.Err() != nil {
			return
		}
		if wait := time.Until(next); wait > 0 {
			timer := time.NewTimer(min(wait, maxNap))
			select {
			case <-ctx.Done():
				timer.Stop()
				return
			case <-timer.C:
			}
			continue
		}
		select {
		case planned <- next:
		default:
			tally.drop()
		}
		count++
		next = next.Add(p.gap())
	}
}
