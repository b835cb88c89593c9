// Load for the comparison of Quorate with others, in a compiled language, so that what is measured is the servers:
// a closed loop of clients, each of which sends its next request when the last one was answered.
//
// Quorate (text dialect) and Redis get one connection a client, served by one loop over epoll, which is as cheap as
// a client can be. etcd gets its own Go client at its best: many requests over a few connections to the leader.
// Whatever the system, keys, values, the mix of reads and writes, and the clock are the same.
//
// Modes: `fill` writes every key once; `load` measures; `failover` kills a process and waits for the next
// acknowledged write; `await` waits until every target answers a linearizable read; `leader` finds etcd's. The answer is one line of JSON.
//
// Every connection writes keys of its own, in order, so it is known what each key must hold: `load` reads a sample
// of what was acknowledged back and counts what is missing.
//
// Builds with Go's standard library and etcd's client, without modules:
//
//	GOPATH=/usr/share/gocode GO111MODULE=off go build -o load load.go
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand"
	"net"
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.etcd.io/etcd/clientv3"
)

var (
	mode        = flag.String("mode", "load", "fill, load, failover, await or leader")
	system      = flag.String("system", "quorate", "quorate, etcd or redis")
	target      = flag.String("target", "127.0.0.1:5000", "addresses, separated by commas; load goes to all of them in turn")
	clients     = flag.Int("clients", 64, "clients, each with one request (or -pipeline of them) on its way")
	pipeline    = flag.Int("pipeline", 1, "requests that a client has on its way; not for etcd")
	reads       = flag.Int("reads", 0, "reads in a hundred requests")
	valueBytes  = flag.Int("value-bytes", 256, "bytes of a value, at least 24")
	keys        = flag.Int("keys", 100000, "how many keys there are")
	seconds     = flag.Float64("seconds", 5, "how long to measure")
	warmUp      = flag.Float64("warm-up", 1, "seconds before that, which do not count")
	connections = flag.Int("connections", 0, "connections to etcd; 0 for one to every 64 clients")
	processors  = flag.Int("processors", 0, "threads that run Go code at a time; 0 leaves it to Go")
	wait        = flag.Int("wait", 0, "Redis: each SET is followed by WAIT for so many replicas")
	pids        = flag.String("pids", "", "processes of the servers, separated by commas, whose CPU time is counted")
	kill        = flag.Int("kill", 0, "failover: the process to kill")
	timeout     = flag.Float64("timeout", 60, "failover and await: seconds after which it is given up")
	sample      = flag.Int("sample", 2000, "how many acknowledged writes to read back")
)

// A reply that does not come for so long ends the run: the figures would mean nothing.
const stallSeconds = 30

type percentiles struct {
	Count int     `json:"count"`
	P50   float64 `json:"p50"`
	P99   float64 `json:"p99"`
	P999  float64 `json:"p999"`
	Max   float64 `json:"max"`
}

// What a run has shown. Times of requests are in microseconds.
type result struct {
	Seconds    float64            `json:"seconds"`
	Operations int                `json:"operations"`
	PerSecond  float64            `json:"perSecond"`
	Writes     percentiles        `json:"writes"`
	Reads      percentiles        `json:"reads"`
	All        percentiles        `json:"all"`
	Errors     map[string]int     `json:"errors"`
	ServerCpu  map[string]float64 `json:"serverCpuSeconds"`
	OwnCpu     float64            `json:"ownCpuSeconds"`
	OtherCpu   float64            `json:"otherCpuSeconds"`
	Checked    int                `json:"checked"`
	Missing    int                `json:"missing"`
	WaitedMs   float64            `json:"waitedMs,omitempty"`
	// When the wait was over, for whoever started the servers and knows when.
	EndedAtMs float64 `json:"endedAtMs,omitempty"`
	Leader    string  `json:"leader,omitempty"`
}

func main() {
	flag.Parse()
	if *processors > 0 {
		runtime.GOMAXPROCS(*processors)
	}
	if *valueBytes < 24 || *clients < 1 || *pipeline < 1 || *keys < *clients || *reads < 0 || *reads > 100 {
		fail("these settings do not fit together")
	}
	var answer result
	switch *mode {
	case "fill":
		answer = fill()
	case "load":
		answer = load()
	case "failover":
		answer = failover()
	case "await":
		answer = awaitAll()
	case "leader":
		answer.Leader = etcdLeader()
	default:
		fail("there is no mode " + *mode)
	}
	line, err := json.Marshal(answer)
	check(err)
	fmt.Println(string(line))
}

// What was sent and what was acknowledged, by key. A write's number is in its value; numbers only go up.
type book struct {
	run   string
	next  uint64
	sent  []uint64
	acked []uint64
	// A key with a write of unknown outcome: it may still change, so it is not read back.
	unsure []bool
}

func newBook() *book {
	return &book{
		run:  fmt.Sprintf("%08x", rand.New(rand.NewSource(time.Now().UnixNano())).Uint32()),
		sent: make([]uint64, *keys), acked: make([]uint64, *keys), unsure: make([]bool, *keys),
	}
}

func (b *book) value(number uint64) []byte {
	value := bytes.Repeat([]byte{'v'}, *valueBytes)
	copy(value, b.run)
	copy(value[8:], fmt.Sprintf("-%012d-", number))
	return value
}

// Whether a value may be what the key holds now.
func (b *book) holds(key int, value []byte) bool {
	if len(value) != *valueBytes || string(value[:8]) != b.run {
		return false
	}
	number, err := strconv.ParseUint(string(value[9:21]), 10, 64)
	return err == nil && number >= b.acked[key] && number <= b.sent[key]
}

func keyName(key int) string { return fmt.Sprintf("key%09d", key) }

// The measured stretch of a run, shared by all its clients.
type window struct {
	from, to time.Time
	writes   []int64
	reads    []int64
	errors   map[string]int
}

func (w *window) take(isRead bool, started, ended time.Time) {
	if ended.Before(w.from) || ended.After(w.to) {
		return
	}
	if isRead {
		w.reads = append(w.reads, int64(ended.Sub(started)))
	} else {
		w.writes = append(w.writes, int64(ended.Sub(started)))
	}
}

func newWindow() *window {
	from := time.Now().Add(time.Duration(*warmUp * float64(time.Second)))
	return &window{from: from, to: from.Add(time.Duration(*seconds * float64(time.Second))), errors: map[string]int{}}
}

func load() result {
	w, b := newWindow(), newBook()
	meter := make(chan func(*result))
	go func() {
		time.Sleep(time.Until(w.from))
		before := readMeters()
		time.Sleep(time.Until(w.to))
		after := readMeters()
		meter <- func(r *result) { r.spent(before, after) }
	}()
	var answer result
	if *system == "etcd" {
		loadEtcd(w, b)
		(<-meter)(&answer)
		answer.Checked, answer.Missing = readBackEtcd(b)
	} else {
		loadSockets(w, b, nil)
		(<-meter)(&answer)
		answer.Checked, answer.Missing = readBackSocket(b)
	}
	answer.Seconds = w.to.Sub(w.from).Seconds()
	answer.Operations = len(w.reads) + len(w.writes)
	answer.PerSecond = float64(answer.Operations) / answer.Seconds
	answer.All = summarise(append(append([]int64{}, w.reads...), w.writes...))
	answer.Reads, answer.Writes = summarise(w.reads), summarise(w.writes)
	answer.Errors = w.errors
	return answer
}

// Writes every key once, as fast as the system takes it.
func fill() result {
	*reads = 0
	w, b := newWindow(), newBook()
	w.from, w.to = time.Now(), time.Now().Add(time.Hour)
	if *system == "etcd" {
		var left int64 = int64(*keys)
		fillEtcd(w, b, &left)
	} else {
		*wait = 0
		loadSockets(w, b, ownKeys())
	}
	ended := time.Now()
	return result{Seconds: ended.Sub(w.from).Seconds(), Operations: len(w.writes), Errors: w.errors}
}

// For each client the keys that only it writes.
func ownKeys() [][]int {
	own := make([][]int, *clients)
	for key := 0; key < *keys; key++ {
		own[key%*clients] = append(own[key%*clients], key)
	}
	return own
}

// Text and RESP, over epoll -----------------------------------------------------------------------------------

type flight struct {
	started time.Time
	number  uint64
	key     int
	isRead  bool
}

type connection struct {
	fd      int
	client  int
	flights []flight
	pending []byte
	out     []byte
	random  *rand.Rand
	toFill  []int
	isGone  bool
}

// Runs all clients in one loop. With `own`, client n writes exactly the keys own[n] and the loop then ends.
func loadSockets(w *window, b *book, own [][]int) {
	poll, err := syscall.EpollCreate1(0)
	check(err)
	defer syscall.Close(poll)
	targets := strings.Split(*target, ",")
	all := map[int32]*connection{}
	for n := 0; n < *clients; n++ {
		c := &connection{fd: dial(targets[n%len(targets)]), client: n, random: rand.New(rand.NewSource(int64(n + 1)))}
		if own != nil {
			c.toFill = own[n]
		}
		event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(c.fd)}
		check(syscall.EpollCtl(poll, syscall.EPOLL_CTL_ADD, c.fd, &event))
		all[int32(c.fd)] = c
	}
	inFlight := 0
	start := func(c *connection) {
		now := time.Now()
		for len(c.flights) < *pipeline && now.Before(w.to) && !(own != nil && len(c.toFill) == 0) {
			c.flights = append(c.flights, c.next(b, now, own != nil))
			inFlight++
		}
		c.flush()
	}
	for _, c := range all {
		start(c)
	}
	events := make([]syscall.EpollEvent, 256)
	chunk := make([]byte, 1<<18)
	for inFlight > 0 {
		ready, err := syscall.EpollWait(poll, events, stallSeconds*1000)
		if err == syscall.EINTR {
			continue
		}
		check(err)
		if ready == 0 {
			fail(fmt.Sprintf("no reply for %d s", stallSeconds))
		}
		for _, event := range events[:ready] {
			c := all[event.Fd]
			size, err := syscall.Read(c.fd, chunk)
			if err == syscall.EAGAIN || err == syscall.EINTR {
				continue
			}
			if err != nil || size <= 0 {
				w.errors["connection lost"]++
				inFlight -= len(c.flights)
				for _, f := range c.flights {
					b.unsure[f.key] = b.unsure[f.key] || !f.isRead
				}
				c.flights, c.isGone = nil, true
				check(syscall.EpollCtl(poll, syscall.EPOLL_CTL_DEL, c.fd, &event))
				continue
			}
			inFlight -= c.receive(chunk[:size], w, b)
			start(c)
		}
	}
	for _, c := range all {
		syscall.Close(c.fd)
	}
}

// Chooses the next request and puts it into the outgoing bytes.
func (c *connection) next(b *book, now time.Time, isFilling bool) flight {
	f := flight{started: now, isRead: !isFilling && c.random.Intn(100) < *reads}
	switch {
	case isFilling:
		f.key = c.toFill[0]
		c.toFill = c.toFill[1:]
	case f.isRead:
		f.key = c.random.Intn(*keys)
	default:
		// A key that no other client writes.
		f.key = c.client + *clients*c.random.Intn((*keys-c.client+*clients-1) / *clients)
	}
	name := keyName(f.key)
	if f.isRead {
		if *system == "redis" {
			c.out = append(c.out, fmt.Sprintf("*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n", len(name), name)...)
		} else {
			c.out = append(append(append(c.out, "get "...), name...), '\n')
		}
		return f
	}
	b.next++
	f.number = b.next
	b.sent[f.key] = f.number
	value := b.value(f.number)
	if *system != "redis" {
		c.out = append(append(append(append(append(c.out, "set "...), name...), ' '), value...), '\n')
		return f
	}
	c.out = append(c.out, fmt.Sprintf("*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n", len(name), name, len(value), value)...)
	if *wait > 0 {
		count := strconv.Itoa(*wait)
		c.out = append(c.out, fmt.Sprintf("*3\r\n$4\r\nWAIT\r\n$%d\r\n%s\r\n$1\r\n0\r\n", len(count), count)...)
	}
	return f
}

// Sends what has gathered, in one write wherever the system takes it.
func (c *connection) flush() {
	for len(c.out) > 0 && !c.isGone {
		size, err := syscall.Write(c.fd, c.out)
		if err == syscall.EAGAIN || err == syscall.EINTR {
			runtime.Gosched()
			continue
		}
		if err != nil {
			break // The read that follows sees the end of the connection, and counts it.
		}
		c.out = c.out[:copy(c.out, c.out[size:])]
	}
	c.out = c.out[:0]
}

// Takes the replies in a chunk, the last of which may be incomplete; returns how many there were.
func (c *connection) receive(chunk []byte, w *window, b *book) int {
	if len(c.pending) > 0 {
		chunk = append(c.pending, chunk...)
	}
	now := time.Now()
	count := 0
	for len(c.flights) > count {
		f := c.flights[count]
		size := replySize(chunk, f.isRead)
		if size == 0 {
			break
		}
		c.judge(f, chunk[:size], now, w, b)
		chunk = chunk[size:]
		count++
	}
	c.flights = c.flights[:copy(c.flights, c.flights[count:])]
	c.pending = append(c.pending[:0:0], chunk...)
	return count
}

func (c *connection) judge(f flight, reply []byte, now time.Time, w *window, b *book) {
	isError := reply[0] == '-' || bytes.HasPrefix(reply, []byte("ERROR:"))
	if isError || (f.isRead && bytes.HasPrefix(reply, []byte("$-1"))) {
		w.errors[strings.TrimSpace(string(reply))]++
		b.unsure[f.key] = b.unsure[f.key] || !f.isRead
		return
	}
	if !f.isRead {
		b.acked[f.key] = f.number
	}
	w.take(f.isRead, f.started, now)
}

// How many bytes the first reply takes; 0 while it is incomplete.
func replySize(chunk []byte, isRead bool) int {
	end := bytes.IndexByte(chunk, '\n') + 1
	if end == 0 || *system != "redis" {
		return end
	}
	if isRead && chunk[0] == '$' {
		length, err := strconv.Atoi(string(chunk[1 : end-2]))
		check(err)
		if length >= 0 {
			end += length + 2
		}
	} else if !isRead && *wait > 0 {
		second := bytes.IndexByte(chunk[end:], '\n') + 1
		if second == 0 {
			return 0
		}
		end += second
	}
	if end > len(chunk) {
		return 0
	}
	return end
}

func dial(address string) int {
	resolved, err := net.ResolveTCPAddr("tcp4", address)
	check(err)
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	check(err)
	to := syscall.SockaddrInet4{Port: resolved.Port}
	copy(to.Addr[:], resolved.IP.To4())
	check(syscall.Connect(fd, &to))
	check(syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1))
	check(syscall.SetNonblock(fd, true))
	return fd
}

// Asks for the sampled keys one after the other.
func readBackSocket(b *book) (int, int) {
	conn, err := net.Dial("tcp4", strings.Split(*target, ",")[0])
	check(err)
	defer conn.Close()
	buffer := make([]byte, 0, *valueBytes+100)
	return readBack(b, func(name string) []byte {
		request := "get " + name + "\n"
		if *system == "redis" {
			request = fmt.Sprintf("*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n", len(name), name)
		}
		_, err := conn.Write([]byte(request))
		check(err)
		buffer = buffer[:0]
		for replySize(buffer, true) == 0 {
			check(conn.SetReadDeadline(time.Now().Add(stallSeconds * time.Second)))
			size, err := conn.Read(buffer[len(buffer):cap(buffer)])
			check(err)
			buffer = buffer[:len(buffer)+size]
		}
		if *system == "redis" {
			line := bytes.IndexByte(buffer, '\n') + 1
			return bytes.TrimSuffix(buffer[line:], []byte("\r\n"))
		}
		return bytes.TrimPrefix(bytes.TrimSuffix(buffer, []byte("\n")), []byte(name+" -> "))
	})
}

// Reads a sample of what was acknowledged: how many keys were asked for, and how many held something else.
func readBack(b *book, get func(name string) []byte) (checked, missing int) {
	random := rand.New(rand.NewSource(1))
	for _, key := range random.Perm(*keys) {
		if b.acked[key] == 0 || b.unsure[key] {
			continue
		}
		if checked == *sample {
			break
		}
		checked++
		if !b.holds(key, get(keyName(key))) {
			missing++
		}
	}
	return
}

// etcd --------------------------------------------------------------------------------------------------------

func etcdClients() []*clientv3.Client {
	count := *connections
	if count == 0 {
		count = (*clients + 63) / 64
	}
	if count > *clients {
		count = *clients
	}
	all := make([]*clientv3.Client, count)
	for n := range all {
		all[n] = etcdClient(strings.Split(*target, ","))
	}
	return all
}

func etcdClient(endpoints []string) *clientv3.Client {
	client, err := clientv3.New(clientv3.Config{Endpoints: endpoints, DialTimeout: 5 * time.Second})
	check(err)
	return client
}

func loadEtcd(w *window, b *book) {
	all := etcdClients()
	ctx, end := untilStalled(w)
	defer end()
	var group sync.WaitGroup
	var lock sync.Mutex
	for n := 0; n < *clients; n++ {
		group.Add(1)
		go func(n int) {
			defer group.Done()
			random := rand.New(rand.NewSource(int64(n + 1)))
			own := &window{from: w.from, to: w.to, errors: map[string]int{}}
			for time.Now().Before(w.to) {
				if random.Intn(100) < *reads {
					etcdRead(ctx, all[n%len(all)], own, random.Intn(*keys))
				} else {
					etcdWrite(ctx, all[n%len(all)], own, b, n+*clients*random.Intn((*keys-n+*clients-1) / *clients))
				}
			}
			merge(w, own, &lock)
		}(n)
	}
	group.Wait()
	for _, client := range all {
		client.Close()
	}
}

func fillEtcd(w *window, b *book, left *int64) {
	all := etcdClients()
	ctx, end := untilStalled(w)
	defer end()
	var group sync.WaitGroup
	var lock sync.Mutex
	for n := 0; n < *clients; n++ {
		group.Add(1)
		go func(n int) {
			defer group.Done()
			own := &window{from: w.from, to: w.to, errors: map[string]int{}}
			for key := atomic.AddInt64(left, -1); key >= 0; key = atomic.AddInt64(left, -1) {
				etcdWrite(ctx, all[n%len(all)], own, b, int(key))
			}
			merge(w, own, &lock)
		}(n)
	}
	group.Wait()
}

func merge(into, own *window, lock *sync.Mutex) {
	lock.Lock()
	defer lock.Unlock()
	into.reads = append(into.reads, own.reads...)
	into.writes = append(into.writes, own.writes...)
	for text, count := range own.errors {
		into.errors[text] += count
	}
}

// One context for all requests, because a deadline for each would cost time and bytes: it ends them if they stall.
func untilStalled(w *window) (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	timer := time.AfterFunc(time.Until(w.to)+stallSeconds*time.Second, cancel)
	return ctx, func() {
		timer.Stop()
		cancel()
	}
}

func etcdRead(ctx context.Context, client *clientv3.Client, w *window, key int) {
	started := time.Now()
	answer, err := client.Get(ctx, keyName(key))
	switch {
	case err != nil:
		w.errors[err.Error()]++
	case len(answer.Kvs) == 0:
		w.errors["key not found"]++
	default:
		w.take(true, started, time.Now())
	}
}

func etcdWrite(ctx context.Context, client *clientv3.Client, w *window, b *book, key int) {
	number := atomic.AddUint64(&b.next, 1)
	b.sent[key] = number
	value := string(b.value(number))
	started := time.Now()
	if _, err := client.Put(ctx, keyName(key), value); err != nil {
		w.errors[err.Error()]++
		b.unsure[key] = true
		return
	}
	b.acked[key] = number
	w.take(false, started, time.Now())
}

// The target that leads, by its own account; waits until there is one.
func etcdLeader() string {
	ended := time.Now().Add(time.Duration(*timeout * float64(time.Second)))
	for time.Now().Before(ended) {
		for _, address := range strings.Split(*target, ",") {
			client := etcdClient([]string{address})
			once, cancel := context.WithTimeout(context.Background(), time.Second)
			status, err := client.Status(once, address)
			cancel()
			client.Close()
			if err == nil && status.Leader == status.Header.MemberId {
				return address
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	fail("etcd has no leader")
	return ""
}

func readBackEtcd(b *book) (int, int) {
	client := etcdClient(strings.Split(*target, ","))
	defer client.Close()
	return readBack(b, func(name string) []byte {
		answer, err := client.Get(context.Background(), name)
		check(err)
		if len(answer.Kvs) == 0 {
			return nil
		}
		return answer.Kvs[0].Value
	})
}

// Failover and start ------------------------------------------------------------------------------------------

// Kills a process, then sends a fresh write through a surviving node every few milliseconds, waiting for none of
// them, until the first is acknowledged. So neither a client's timeouts nor its retries are part of the time.
func failover() result {
	const everyMs = 5
	targets := strings.Split(*target, ",")
	writers := make([]func(context.Context, int) bool, len(targets))
	for n, address := range targets {
		writers[n] = writerTo(address)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(*timeout*float64(time.Second)))
	defer cancel()
	for n := 0; n < 20; n++ {
		if !writers[n%len(writers)](ctx, n) {
			n-- // The cluster may still be finding itself after the last time.
			if ctx.Err() != nil {
				fail("no write was acknowledged before the kill")
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	acked := make(chan struct{}, 1)
	started := time.Now()
	check(syscall.Kill(*kill, syscall.SIGKILL))
	for n := 0; ; n++ {
		go func(n int) {
			if writers[n%len(writers)](ctx, n) {
				select {
				case acked <- struct{}{}:
				default:
				}
			}
		}(n)
		select {
		case <-acked:
			return result{WaitedMs: float64(time.Since(started)) / 1e6}
		case <-ctx.Done():
			fail("no write was acknowledged after the kill")
		case <-time.After(everyMs * time.Millisecond):
		}
	}
}

// A function that writes once and says whether that was acknowledged.
func writerTo(address string) func(context.Context, int) bool {
	if *system == "etcd" {
		client := etcdClient([]string{address})
		return func(ctx context.Context, n int) bool {
			_, err := client.Put(ctx, keyName(n%*keys), "failover")
			return err == nil
		}
	}
	return func(ctx context.Context, n int) bool {
		return strings.HasPrefix(ask(ctx, address, "set "+keyName(n%*keys)+" failover\n"), "SUCCESS")
	}
}

// Waits until each target has answered a linearizable read of the first key with a value.
func awaitAll() result {
	started := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(*timeout*float64(time.Second)))
	defer cancel()
	var group sync.WaitGroup
	for _, address := range strings.Split(*target, ",") {
		group.Add(1)
		go func(address string) {
			defer group.Done()
			firstAnswer(ctx, address)
		}(address)
	}
	group.Wait()
	return result{WaitedMs: float64(time.Since(started)) / 1e6, EndedAtMs: float64(time.Now().UnixNano()) / 1e6}
}

// Asks again and again without waiting for the answers, because one that is lost in the start would be waited for
// until its deadline; ends with the first answer.
func firstAnswer(ctx context.Context, address string) {
	const everyMs = 50
	answered := make(chan struct{}, 1)
	for {
		go func() {
			if answers(ctx, address) {
				select {
				case answered <- struct{}{}:
				default:
				}
			}
		}()
		select {
		case <-answered:
			return
		case <-ctx.Done():
			fail(address + " does not answer")
		case <-time.After(everyMs * time.Millisecond):
		}
	}
}

func answers(ctx context.Context, address string) bool {
	if *system != "etcd" {
		return strings.HasPrefix(ask(ctx, address, "get "+keyName(0)+"\n"), keyName(0))
	}
	// A client that waits until it may try again would be measured, so there is a new one each time.
	if conn, err := net.DialTimeout("tcp4", address, time.Second); err != nil {
		return false
	} else {
		conn.Close()
	}
	client := etcdClient([]string{address})
	defer client.Close()
	once, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	answer, err := client.Get(once, keyName(0))
	return err == nil && len(answer.Kvs) == 1
}

// One line over a connection of its own, and the reply; nothing if it does not come.
func ask(ctx context.Context, address, line string) string {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp4", address)
	if err != nil {
		return ""
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	if _, err := conn.Write([]byte(line)); err != nil {
		return ""
	}
	buffer := make([]byte, 4096)
	size, _ := conn.Read(buffer)
	return string(buffer[:size])
}

// What was spent ----------------------------------------------------------------------------------------------

type meters struct {
	servers map[string]float64
	own     float64
	machine float64
}

func readMeters() meters {
	m := meters{servers: map[string]float64{}}
	for _, pid := range strings.Split(*pids, ",") {
		if pid != "" {
			m.servers[pid] = cpuSeconds("/proc/"+pid+"/stat", func(line string) []string {
				// The name in parentheses may hold spaces; the times are the 12th and 13th field behind it.
				return strings.Fields(line[strings.LastIndexByte(line, ')')+1:])[11:13]
			})
		}
	}
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	m.own = float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
	m.machine = cpuSeconds("/proc/stat", func(line string) []string {
		fields := strings.Fields(line)
		return append(append([]string{}, fields[1:4]...), fields[6:9]...) // All but idle and waiting.
	})
	return m
}

// The sum of times in hundredths of a second, which is how Linux counts them for programs.
func cpuSeconds(path string, pick func(line string) []string) float64 {
	contents, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	sum := 0.0
	for _, field := range pick(strings.SplitN(string(contents), "\n", 2)[0]) {
		ticks, err := strconv.ParseFloat(field, 64)
		check(err)
		sum += ticks / 100
	}
	return sum
}

func (r *result) spent(before, after meters) {
	r.OwnCpu = after.own - before.own
	r.OtherCpu = after.machine - before.machine - r.OwnCpu
	r.ServerCpu = map[string]float64{}
	for pid := range after.servers {
		r.ServerCpu[pid] = after.servers[pid] - before.servers[pid]
		r.OtherCpu -= r.ServerCpu[pid]
	}
}

// Exact ones: a run has few enough requests to keep and sort.
func summarise(times []int64) percentiles {
	if len(times) == 0 {
		return percentiles{}
	}
	sort.Slice(times, func(a, b int) bool { return times[a] < times[b] })
	at := func(share float64) float64 {
		return float64(times[int(share*float64(len(times)-1))]) / 1000
	}
	return percentiles{Count: len(times), P50: at(0.5), P99: at(0.99), P999: at(0.999), Max: at(1)}
}

func check(err error) {
	if err != nil {
		fail(err.Error())
	}
}

func fail(why string) {
	fmt.Fprintln(os.Stderr, "load:", why)
	os.Exit(1)
}
