package main

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"
)

type target struct{ address, host, path string }

// result is what became of one request.
type result struct {
	planned, finished time.Time
	version           string // X-App-Version; empty when the app did not answer
	status            int    // 0 without an answer
	injected          bool   // the app marked it as an error that it was told to make
	failure           string // kind of transport failure; empty with an answer
	reconnected       bool   // the kept connection had been closed while idle, seen before sending
}

// failed is true for what a user would call an outage: no answer, or an error that the app was not told to make.
func (r result) failed() bool { return r.failure != "" || r.status >= 400 && !r.injected }

// client holds one kept connection (unless it is fresh) and sends each request exactly once.
//
// net/http's Transport is not used for it: it resends a GET by itself when a kept connection ends under it, and would
// so hide the very failures that the lab looks for. As every client does, this one looks whether the server has
// closed the idle connection before it sends, and then dials anew.
type client struct {
	target  target
	timeout time.Duration
	fresh   bool // dials for each request, as a client without kept connections does
	request []byte
	conn    net.Conn
	reader  *bufio.Reader
}

func newClient(target target, timeout time.Duration) *client {
	request := "GET " + target.path + " HTTP/1.1\r\nHost: " + target.host + "\r\nUser-Agent: canary-lab-load\r\n\r\n"
	return &client{target: target, timeout: timeout, request: []byte(request)}
}

func (c *client) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn, c.reader = nil, nil
	}
}

func (c *client) do(planned time.Time) result {
	r := result{planned: planned}
	if c.fresh {
		c.close()
	}
	reused := c.conn != nil
	if reused && closedByPeer(c.conn) {
		c.close()
		r.reconnected, reused = true, false
	}
	if c.conn == nil {
		conn, err := net.DialTimeout("tcp", c.target.address, c.timeout)
		if err != nil {
			r.failure, r.finished = "dial: "+kind(err), time.Now()
			return r
		}
		c.conn, c.reader = conn, bufio.NewReader(conn)
	}
	err := c.exchange(&r)
	r.finished = time.Now()
	if err != nil {
		r.failure = kind(err)
		if reused {
			r.failure += " on a kept connection"
		}
		r.version, r.status, r.injected = "", 0, false
		c.close()
	}
	return r
}

func (c *client) exchange(r *result) error {
	if err := c.conn.SetDeadline(time.Now().Add(c.timeout)); err != nil {
		return err
	}
	if _, err := c.conn.Write(c.request); err != nil {
		return err
	}
	response, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err // an answer cut short is no answer
	}
	r.status = response.StatusCode
	r.version = response.Header.Get("X-App-Version")
	r.injected = response.Header.Get("X-App-Injected") == "1"
	if response.Close {
		c.close()
	}
	return nil
}

// closedByPeer looks into the socket without waiting and without taking anything from it.
func closedByPeer(conn net.Conn) bool {
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return true
	}
	closed := false
	err = raw.Control(func(fd uintptr) {
		var one [1]byte
		n, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		// n > 0: bytes that nobody asked for, such as a proxy's 408 before it closes
		closed = n >= 0 && err == nil || err != nil && !errors.Is(err, syscall.EAGAIN)
	})
	return closed || err != nil
}

func kind(err error) string {
	var timeout net.Error
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "reset"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "closed"
	default:
		return "broken: " + err.Error()
	}
}
