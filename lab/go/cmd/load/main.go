// Command load sends requests at a constant rate and tells failed requests from errors that the app injects.
//
//	load -url http://10.244.0.1:8080/ -host shop.example -rate 200 -duration 0 -workers 16 -fresh 0 -out FILE
//
// It is open-loop: each request has its planned instant and latency counts from there, however late a worker takes it.
// It never retries. A request failed if there was no answer, or an answer of 400 or above that the app did not mark
// with X-App-Injected. One JSON line every -every, with cumulative counters; a last one with "summary": true.
// With -control it obeys lines on stdin: "rate 400", "stop".
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math"
	"net"
	"net/netip"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

type options struct {
	url      string
	host     string
	rate     float64
	duration time.Duration
	workers  int
	fresh    int
	max      int64
	timeout  time.Duration
	every    time.Duration
	out      string
	control  bool
}

func main() {
	log.SetFlags(0)
	var o options
	flag.StringVar(&o.url, "url", "", "where to send, http://ADDRESS[:PORT]/PATH; loopback or private addresses only")
	flag.StringVar(&o.host, "host", "", "Host header; the URL's own when empty")
	flag.Float64Var(&o.rate, "rate", 200, "requests per second")
	flag.DurationVar(&o.duration, "duration", 0, "how long; 0 is until SIGTERM, SIGINT or -max")
	flag.IntVar(&o.workers, "workers", 16, "connections, and requests in flight at most")
	flag.IntVar(&o.fresh, "fresh", 0, "of the workers, how many dial anew for each request; the others keep theirs")
	flag.Int64Var(&o.max, "max", 2_000_000, "requests at most")
	flag.DurationVar(&o.timeout, "timeout", 10*time.Second, "of one request")
	flag.DurationVar(&o.every, "every", 250*time.Millisecond, "between lines")
	flag.StringVar(&o.out, "out", "", "file for the JSON lines; stdout when empty")
	flag.BoolVar(&o.control, "control", false, `obey "rate N" and "stop" on stdin; its end changes nothing`)
	flag.Parse()
	if err := run(o); err != nil {
		log.Fatalf("load: %v", err)
	}
}

func run(o options) error {
	target, err := newTarget(o)
	if err != nil {
		return err
	}
	out := io.Writer(os.Stdout)
	if o.out != "" {
		file, err := os.Create(o.out)
		if err != nil {
			return err
		}
		defer file.Close()
		out = file
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if o.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.duration)
		defer cancel()
	}
	started := time.Now()
	pace := newPace(o.rate)
	tally := newTally(started)
	if o.control {
		go obey(os.Stdin, pace, stop)
	}

	planned := make(chan time.Time, 65536) // 5 min of 200/s: what does not fit is counted as dropped, never lost silently
	var workers sync.WaitGroup
	for number := range o.workers {
		workers.Go(func() {
			client := newClient(target, o.timeout)
			client.fresh = number < o.fresh
			defer client.close()
			for at := range planned {
				if ctx.Err() != nil {
					tally.drop() // planned, but the end came first
					continue
				}
				result := client.do(at)
				tally.add(result)
			}
		})
	}
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		pace.run(ctx, planned, o.max, tally)
		close(planned)
		workers.Wait()
	}()

	lines := json.NewEncoder(out)
	ticker := time.NewTicker(o.every)
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			if err := lines.Encode(tally.line(now, false)); err != nil {
				return err
			}
		case <-finished:
			return lines.Encode(tally.line(time.Now(), true))
		}
	}
}

// newTarget resolves once, and refuses any address that is not loopback or private: load is for our own lab.
func newTarget(o options) (target, error) {
	if o.workers < 1 || o.max < 1 || o.every <= 0 || o.timeout <= 0 || !validRate(o.rate) || o.fresh < 0 {
		return target{}, errors.New("-workers, -max, -every, -timeout and -rate must be above 0")
	}
	parsed, err := url.Parse(o.url)
	if err != nil || parsed.Scheme != "http" || parsed.Hostname() == "" {
		return target{}, fmt.Errorf("-url %q is not http://ADDRESS[:PORT]/PATH", o.url)
	}
	addresses, err := net.LookupHost(parsed.Hostname())
	if err != nil {
		return target{}, err
	}
	address, err := netip.ParseAddr(addresses[0])
	if err != nil || !(address.IsLoopback() || address.IsPrivate()) {
		return target{}, fmt.Errorf("%s is neither a loopback nor a private address", addresses[0])
	}
	port := parsed.Port()
	if port == "" {
		port = "80"
	}
	host := o.host
	if host == "" {
		host = parsed.Host
	}
	if strings.ContainsAny(host, "\r\n ") {
		return target{}, fmt.Errorf("-host %q is no host", host)
	}
	return target{address: net.JoinHostPort(address.String(), port), host: host, path: parsed.RequestURI()}, nil
}

func validRate(rate float64) bool { return rate > 0 && !math.IsInf(rate, 1) }

// obey reads commands until stdin ends.
func obey(commands io.Reader, pace *pace, stop func()) {
	scanner := bufio.NewScanner(commands)
	for scanner.Scan() {
		words := strings.Fields(scanner.Text())
		switch {
		case len(words) == 1 && words[0] == "stop":
			stop()
		case len(words) == 2 && words[0] == "rate":
			if rate, err := strconv.ParseFloat(words[1], 64); err == nil && validRate(rate) {
				pace.set(rate)
				continue
			}
			fallthrough
		default:
			log.Printf("load: %q is neither \"rate N\" nor \"stop\"", scanner.Text())
		}
	}
}
