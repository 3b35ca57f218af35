// A load generator that times every operation: producers push, workers fetch and acknowledge, all at once.
//
// The jobs that wait when it starts (the caller's backlog, in the queue "default") keep fetches from parking. A job may be
// pushed only when one has been acknowledged, but for the first `backlog`, so that both sides are busy to the end.
// It prints one JSON object and exits with an error if the server answers anything but what it should.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand"
	"net"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const job = `PUSH {"jid":"mixed-%012x","jobtype":"SomeJob","queue":"%s","args":[[1,"string",3]],` +
	`"created_at":"2026-01-01T00:00:00.000000Z","retry":25}` + "\r\n"

type settings struct {
	address               string
	jobs, queues, backlog int64
	connections           int
}

type connection struct {
	socket    net.Conn
	reader    *bufio.Reader
	durations map[string][]time.Duration
}

// run holds what the connections share: how many pushes and fetches have been begun, and the permits to push.
type run struct {
	settings
	names           []string
	pushed, fetched atomic.Int64
	permits         chan struct{}
}

func main() {
	var s settings
	flag.StringVar(&s.address, "address", "", "host:port of the server")
	flag.Int64Var(&s.jobs, "jobs", 30_000, "jobs")
	flag.Int64Var(&s.queues, "queues", 5, "queues")
	flag.Int64Var(&s.backlog, "backlog", 2_000, "jobs that wait in the queue default already")
	flag.IntVar(&s.connections, "connections", 10, "connections, half producers and half workers")
	flag.Parse()
	r := newRun(s)
	connections := make([]*connection, s.connections)
	for i := range connections {
		connections[i] = dial(s.address, i)
	}
	var all sync.WaitGroup
	began := time.Now()
	for i, c := range connections {
		work := r.produce
		if i%2 == 1 {
			work = r.consume
		}
		all.Add(1)
		go func() {
			defer all.Done()
			work(c)
		}()
	}
	all.Wait()
	report(time.Since(began), connections)
}

func newRun(s settings) *run {
	r := &run{settings: s, names: []string{"default"}, permits: make(chan struct{}, s.jobs+s.backlog)}
	for i := int64(1); i < s.queues; i++ {
		r.names = append(r.names, "queue"+strconv.FormatInt(i, 10))
	}
	for i := int64(0); i < s.backlog; i++ {
		r.permits <- struct{}{}
	}
	return r
}

func (r *run) produce(c *connection) {
	for {
		number := r.pushed.Add(1)
		if number > r.jobs {
			return
		}
		<-r.permits
		queue := r.names[rand.Intn(len(r.names))]
		c.timed("push", fmt.Sprintf(job, number, queue))
	}
}

func (r *run) consume(c *connection) {
	names := append([]string(nil), r.names...)
	rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	fetch := "FETCH " + strings.Join(names, " ") + "\r\n"
	for r.fetched.Add(1) <= r.jobs {
		body := c.timed("fetch", fetch)
		for body == "" {
			body = c.timed("empty_fetch", fetch)
		}
		c.timed("ack", `ACK {"jid":"`+jid(body)+`"}`+"\r\n")
		r.permits <- struct{}{}
	}
}

func jid(body string) string {
	var fields struct{ Jid string }
	check(json.Unmarshal([]byte(body), &fields))
	return fields.Jid
}

func dial(address string, number int) *connection {
	socket, err := net.Dial("tcp", address)
	check(err)
	c := &connection{socket, bufio.NewReader(socket), map[string][]time.Duration{}}
	c.reply()
	wid := ""
	if number%2 == 1 {
		wid = "mixed-" + strconv.Itoa(number)
	}
	c.call(`HELLO {"hostname":"benchmark","wid":"` + wid + `","pid":1,"labels":["benchmark"],"v":2}` + "\r\n")
	return c
}

func (c *connection) timed(operation, command string) string {
	began := time.Now()
	body := c.call(command)
	c.durations[operation] = append(c.durations[operation], time.Since(began))
	return body
}

func (c *connection) call(command string) string {
	_, err := io.WriteString(c.socket, command)
	check(err)
	return c.reply()
}

// reply reads one reply; the null bulk is the empty string.
func (c *connection) reply() string {
	line, err := c.reader.ReadString('\n')
	check(err)
	line = strings.TrimRight(line, "\r\n")
	switch {
	case strings.HasPrefix(line, "+"):
		return line[1:]
	case line == "$-1":
		return ""
	case strings.HasPrefix(line, "$"):
		size, err := strconv.Atoi(line[1:])
		check(err)
		body := make([]byte, size+2)
		_, err = io.ReadFull(c.reader, body)
		check(err)
		return string(body[:size])
	}
	check(fmt.Errorf("the server answered %q", line))
	return ""
}

func report(elapsed time.Duration, connections []*connection) {
	merged := map[string][]time.Duration{}
	for _, c := range connections {
		for operation, durations := range c.durations {
			merged[operation] = append(merged[operation], durations...)
		}
	}
	operations := map[string]map[string]float64{}
	for operation, durations := range merged {
		operations[operation] = figures(durations)
	}
	output := map[string]any{"seconds": elapsed.Seconds(), "operations": operations}
	check(json.NewEncoder(os.Stdout).Encode(output))
}

func figures(durations []time.Duration) map[string]float64 {
	sort.Slice(durations, func(i, j int) bool { return durations[i] < durations[j] })
	var sum time.Duration
	for _, d := range durations {
		sum += d
	}
	count := len(durations)
	rank := func(percent int) float64 { return micros(durations[(count*percent+99)/100-1]) }
	return map[string]float64{
		"p50_microseconds":  rank(50),
		"p99_microseconds":  rank(99),
		"mean_microseconds": micros(sum) / float64(count),
	}
}

func micros(d time.Duration) float64 {
	return float64(d) / float64(time.Microsecond)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
