// Copyright (c) 2026, dkp.airgap contributors
// GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Longline is a TCP proxy that makes a loopback connection behave like a long line: every byte arrives half a round
// trip later, opening a connection costs a round trip, each connection and all together have a limited rate.
//
// It prints "listening <address>". A line on its standard input makes it print its statistics as one line of JSON; the
// end of the input ends it, so that it never outlives whoever started it.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// pieceSize is how much is read, paced and written at a time: the grain of fairness between connections.
const pieceSize = 64 << 10

// mostLate is how late a sleep may end and have the line make up for it.
const mostLate = 50 * time.Millisecond

// smallestWindow is the least number of bytes that a direction of a connection keeps under way.
const smallestWindow = 1 << 20

// A limiter spaces bytes out to a rate. The zero rate limits nothing.
type limiter struct {
	mutex sync.Mutex
	rate  float64 // bytes per second
	free  time.Time
}

// reserve returns when size more bytes have passed the limiter, if they were there from ready on.
func (l *limiter) reserve(size int, ready time.Time) time.Time {
	if l.rate == 0 {
		return ready
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.free.Before(ready) {
		l.free = ready
	}
	l.free = l.free.Add(time.Duration(float64(size) / l.rate * float64(time.Second)))
	return l.free
}

// A piece is some bytes and when they reach the other end.
type piece struct {
	buffer  *[]byte
	size    int
	arrival time.Time
}

// A queue holds what is under way in one direction of one connection.
type queue struct {
	mutex   sync.Mutex
	changed *sync.Cond
	pieces  []piece
	bytes   int
	window  int
	ended   bool // no more will be added
	reset   bool // and that not in good order
	broken  bool // nobody will take what is there
}

func newQueue(window int) *queue {
	q := &queue{window: window}
	q.changed = sync.NewCond(&q.mutex)
	return q
}

// add waits until the window has room; false means that the receiver is gone.
func (q *queue) add(p piece) bool {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	for q.bytes >= q.window && !q.broken {
		q.changed.Wait()
	}
	if q.broken {
		return false
	}
	q.pieces = append(q.pieces, p)
	q.bytes += p.size
	q.changed.Broadcast()
	return true
}

// take returns the oldest piece; false means the end.
func (q *queue) take() (piece, bool) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	for len(q.pieces) == 0 && !q.ended {
		q.changed.Wait()
	}
	if len(q.pieces) == 0 {
		return piece{}, false
	}
	p := q.pieces[0]
	q.pieces = q.pieces[1:]
	return p, true
}

// delivered makes room for size bytes.
func (q *queue) delivered(size int) {
	q.mutex.Lock()
	q.bytes -= size
	q.mutex.Unlock()
	q.changed.Broadcast()
}

func (q *queue) end(reset bool) {
	q.mutex.Lock()
	q.ended, q.reset = true, reset
	q.mutex.Unlock()
	q.changed.Broadcast()
}

func (q *queue) giveUp() {
	q.mutex.Lock()
	q.broken = true
	q.mutex.Unlock()
	q.changed.Broadcast()
}

// statistics are what the line has carried so far; up is from the clients to the target.
type statistics struct {
	Up          atomic.Int64
	Down        atomic.Int64
	Connections atomic.Int64
	Open        atomic.Int64
	Peak        atomic.Int64
}

type line struct {
	target         string
	delay          time.Duration // of each direction
	connectionRate float64
	up, down       limiter
	seen           statistics
	buffers        sync.Pool
}

func (l *line) serve(client *net.TCPConn) {
	defer client.Close()
	l.seen.Connections.Add(1)
	open := l.seen.Open.Add(1)
	defer l.seen.Open.Add(-1)
	for peak := l.seen.Peak.Load(); open > peak && !l.seen.Peak.CompareAndSwap(peak, open); {
		peak = l.seen.Peak.Load()
	}
	// What a connection costs before its first byte: SYN out, SYN-ACK back.
	time.Sleep(2 * l.delay)
	dialled, err := net.Dial("tcp", l.target)
	if err != nil {
		_ = client.SetLinger(0)
		return
	}
	target := dialled.(*net.TCPConn)
	defer target.Close()
	var both sync.WaitGroup
	both.Add(2)
	go func() { defer both.Done(); l.carry(client, target, &l.up, &l.seen.Up) }()
	go func() { defer both.Done(); l.carry(target, client, &l.down, &l.seen.Down) }()
	both.Wait()
}

// carry moves one direction until its end. An end is passed on as such and a reset as a reset.
func (l *line) carry(from, to *net.TCPConn, shared *limiter, counted *atomic.Int64) {
	own := limiter{rate: l.connectionRate}
	window := smallestWindow
	if under := int(l.connectionRate * (4 * l.delay).Seconds()); under > window {
		window = under
	} else if l.connectionRate == 0 {
		window = 16 * smallestWindow
	}
	under := newQueue(window)
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.deliver(under, from, to, counted)
	}()
	var err error
	for late := time.Duration(0); err == nil; {
		buffer := l.buffers.Get().(*[]byte)
		var size int
		if size, err = from.Read(*buffer); size == 0 {
			l.buffers.Put(buffer)
			continue
		}
		// Bytes that came while a sleep ended late are taken as if it had ended in time.
		ready := time.Now().Add(-late)
		departure := own.reserve(size, ready)
		if later := shared.reserve(size, ready); later.After(departure) {
			departure = later
		}
		late = 0
		if wait := time.Until(departure); wait > 0 {
			time.Sleep(wait)
			late = min(time.Since(departure), mostLate)
		} else if wait < 0 && l.limited() {
			late = min(-wait, mostLate)
		}
		if !under.add(piece{buffer, size, departure.Add(l.delay)}) {
			break
		}
	}
	under.end(err != nil && err != io.EOF)
	<-done
}

// deliver writes what is under way when it is due.
func (l *line) deliver(under *queue, from, to *net.TCPConn, counted *atomic.Int64) {
	for {
		p, there := under.take()
		if !there {
			if under.reset {
				_ = to.SetLinger(0)
				_ = to.Close()
			} else {
				_ = to.CloseWrite()
			}
			return
		}
		if wait := time.Until(p.arrival); wait > 0 {
			time.Sleep(wait)
		}
		// Counted first: whoever has received a byte finds it in the statistics.
		counted.Add(int64(p.size))
		_, err := to.Write((*p.buffer)[:p.size])
		l.buffers.Put(p.buffer)
		if err != nil {
			under.giveUp()
			_ = from.SetLinger(0)
			_ = from.Close()
			_ = to.Close()
			return
		}
		under.delivered(p.size)
	}
}

// limited tells whether there is a schedule that traffic can lag behind.
func (l *line) limited() bool {
	return l.connectionRate > 0 || l.up.rate > 0
}

func (l *line) report() {
	out, _ := json.Marshal(map[string]int64{
		"up":          l.seen.Up.Load(),
		"down":        l.seen.Down.Load(),
		"connections": l.seen.Connections.Load(),
		"open":        l.seen.Open.Load(),
		"peak":        l.seen.Peak.Load(),
	})
	fmt.Println(string(out))
}

func main() {
	target := flag.String("target", "", "address to forward to")
	trip := flag.Duration("rtt", 0, "round trip time")
	connectionRate := flag.Float64("connection-rate", 0, "bytes per second of each connection and direction, 0 for no limit")
	totalRate := flag.Float64("total-rate", 0, "bytes per second of all connections together in each direction, 0 for no limit")
	flag.Parse()
	l := &line{target: *target, delay: *trip / 2, connectionRate: *connectionRate}
	l.up.rate, l.down.rate = *totalRate, *totalRate
	l.buffers.New = func() any { buffer := make([]byte, pieceSize); return &buffer }
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("listening", listener.Addr())
	go func() {
		for input := bufio.NewScanner(os.Stdin); input.Scan(); {
			l.report()
		}
		os.Exit(0)
	}()
	for {
		connection, err := listener.Accept()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		go l.serve(connection.(*net.TCPConn))
	}
}
