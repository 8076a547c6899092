/* The benches' HTTP/2 backend: one thread, epoll, cleartext by prior knowledge, one fixed answer for each port.
 *
 *   backend_h2 ADDRESS GET_PORT GRPC_PORT STREAM_PORT      (port 0: any; the ports are printed, a line each)
 *
 * GET answers 1 KiB of backend.c's pattern; gRPC answers a message of 100 bytes and the trailer `grpc-status: 0`;
 * stream answers a head, then a chunk of 128 bytes every 50 ms until the stream is reset. Every request is answered
 * alike when it has ended, so no head is decoded: only frame heads are read. What is sent is what a real server
 * sends: fields enter the peer's dynamic table once and are indices from then on, and the peer's windows are kept. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "backend_h2.h"

enum { FRAME_MAX = 16384, INPUT = 65536, OUTPUT = 262144, RESERVE = 4096, EVENTS = 256, FILES = 65536 };
enum { STREAMS = 100, CHUNK = 128, SLOTS = 50, GIVE_BACK = 32768 };
enum { T_RESET = 3, T_SETTINGS, T_PING = 6, T_WINDOW = 8, ACK = 1, REFUSED_STREAM = 7 };
enum { S_TABLE = 1, S_MAX_STREAMS = 3, S_WINDOW = 4, TABLE = 4096, WINDOW = 65535, WINDOW_MAX = 0x7fffffff };

typedef struct { uint32_t id; int open, slot; int64_t window; } Stream; /* open: its head is out, chunks follow */

typedef struct Peer {
    int fd, greeted, writing;
    Kind kind;
    Form form;
    int64_t window, stream_window;
    size_t have, out_len, received, used;
    Stream streams[STREAMS]; /* the `used` ones wait for their answer or have more to come; id 0: free */
    struct Peer *next;
    uint8_t in[INPUT], out[OUTPUT];
} Peer;

static const char PREFACE[24] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
static uint8_t chunk[FRAME + CHUNK];
static int poller, ticker, listeners[KINDS];
static unsigned slot_now, serial;
static size_t streaming;
static Peer *peers[FILES], *all;

/* ---- connections ---- */

static void watch(int operation, int fd, uint32_t events) {
    struct epoll_event e = {.events = events, .data.fd = fd};
    epoll_ctl(poller, operation, fd, &e);
}

/* Counts the streams to feed; while there are any, the ticker ticks once a millisecond. */
static void feed(size_t streams) {
    long ns = streams ? 1000000 : 0;
    struct itimerspec tick = {{0, ns}, {0, ns}};
    if (!streaming != !streams) timerfd_settime(ticker, 0, &tick, NULL);
    streaming = streams;
}

static void forget(Peer *p, Stream *s) {
    if (s->open) feed(streaming - 1);
    p->used--;
    memset(s, 0, sizeof *s);
}

static void drop(Peer *p) {
    Peer **at = &all;
    while (*at != p) at = &(*at)->next;
    *at = p->next;
    for (size_t i = 0; i < STREAMS; i++)
        if (p->streams[i].id) forget(p, &p->streams[i]);
    peers[p->fd] = NULL;
    close(p->fd);
    free(p);
}

/* False when the peer is gone. */
static int flush(Peer *p) {
    ssize_t n = p->out_len ? write(p->fd, p->out, p->out_len) : 0;
    if (n < 0 && errno != EAGAIN) return 0;
    if (n > 0) memmove(p->out, p->out + n, p->out_len -= (size_t)n);
    if (p->writing != (p->out_len > 0)) {
        p->writing = p->out_len > 0;
        watch(EPOLL_CTL_MOD, p->fd, p->writing ? EPOLLIN | EPOLLOUT : EPOLLIN);
    }
    return 1;
}

static int room(const Peer *p, size_t length) { return p->out_len + length + RESERVE <= OUTPUT; }

/* Sends a small frame of control; RESERVE keeps room for those that one read may call for. */
static void control(Peer *p, uint8_t type, uint8_t flags, uint32_t id, const void *payload, size_t length) {
    if (p->out_len + FRAME + length > OUTPUT) return;
    put_frame_head(p->out + p->out_len, length, type, flags, id);
    if (length) memcpy(p->out + p->out_len + FRAME, payload, length);
    p->out_len += FRAME + length;
}

static void take_connections(Kind kind) {
    int fd, one = 1;
    while ((fd = accept4(listeners[kind], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        Peer *p = fd < FILES ? calloc(1, sizeof *p) : NULL;
        if (!p) { close(fd); continue; }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        p->fd = fd;
        p->kind = kind;
        p->window = p->stream_window = WINDOW;
        p->next = all;
        peers[fd] = all = p;
        uint8_t settings[12] = {0, S_MAX_STREAMS, 0, 0, 0, STREAMS, 0, S_WINDOW};
        put32(settings + 8, WINDOW_MAX);
        control(p, T_SETTINGS, 0, 0, settings, sizeof settings);
        watch(EPOLL_CTL_ADD, fd, EPOLLIN);
    }
}

/* ---- requests and answers ---- */

static Stream *find(Peer *p, uint32_t id) {
    for (size_t i = 0; i < STREAMS; i++)
        if (p->streams[i].id == id) return &p->streams[i];
    return NULL;
}

/* Sends an answer (of a stream port: its head), unless the windows or the buffer have no room for it. */
static int answer(Peer *p, uint32_t id) {
    const Answer *a = &answers[p->kind][p->form];
    int64_t data = (int64_t)a->data;
    if (p->window < data || p->stream_window < data || !room(p, a->len)) return 0;
    memcpy(p->out + p->out_len, a->bytes, a->len);
    for (size_t i = 0; i < a->ids; i++) put32(p->out + p->out_len + a->id_at[i], id);
    p->out_len += a->len;
    p->window -= data;
    if (p->form == FIRST) p->form = LATER;
    return 1;
}

static void answer_waiting(Peer *p) {
    for (size_t i = 0; p->used && i < STREAMS; i++) {
        Stream *s = &p->streams[i];
        if (!s->id || s->open || !answer(p, s->id)) continue;
        if (p->kind != STREAM) { forget(p, s); continue; }
        s->open = 1;
        s->slot = (int)(serial++ * 7 % SLOTS); /* 7 and 50 share no factor: what comes at once is spread */
        feed(streaming + 1);
    }
}

static void request_over(Peer *p, uint32_t id) {
    static const uint8_t refused[4] = {0, 0, 0, REFUSED_STREAM};
    if (p->kind != STREAM && answer(p, id)) return;
    Stream *s = find(p, 0);
    if (!s) { control(p, T_RESET, 0, id, refused, sizeof refused); return; }
    *s = (Stream){.id = id, .window = p->stream_window};
    p->used++;
    answer_waiting(p);
}

static void take_settings(Peer *p, const uint8_t *at, size_t length) {
    for (; length >= 6; at += 6, length -= 6) {
        int64_t value = get32(at + 2);
        if (at[1] == S_TABLE && value < TABLE) p->form = FULL;
        if (at[1] != S_WINDOW) continue;
        for (size_t i = 0; i < STREAMS; i++) p->streams[i].window += value - p->stream_window;
        p->stream_window = value;
    }
    control(p, T_SETTINGS, ACK, 0, NULL, 0);
}

static void take_frame(Peer *p, const uint8_t *head, size_t length) {
    const uint8_t *payload = head + FRAME;
    uint8_t type = head[3], flags = head[4], more[4];
    uint32_t id = get32(head + 5) & WINDOW_MAX;
    Stream *s = id && (type == T_RESET || type == T_WINDOW) ? find(p, id) : NULL;
    if (type == T_DATA && (p->received += length) >= GIVE_BACK) {
        put32(more, p->received);
        control(p, T_WINDOW, 0, 0, more, sizeof more);
        p->received = 0;
    }
    if ((type == T_DATA || type == T_HEADERS) && flags & END_STREAM) request_over(p, id);
    if (type == T_RESET && s) forget(p, s);
    if (type == T_WINDOW && s) s->window += get32(payload);
    if (type == T_WINDOW && !id) { p->window += get32(payload); answer_waiting(p); }
    if (type == T_PING && !(flags & ACK)) control(p, T_PING, ACK, 0, payload, 8);
    if (type == T_SETTINGS && !(flags & ACK)) take_settings(p, payload, length);
}

/* False if it isn't HTTP/2. */
static int take_input(Peer *p) {
    size_t at = 0;
    if (!p->greeted && p->have >= sizeof PREFACE) {
        if (memcmp(p->in, PREFACE, sizeof PREFACE) != 0) return 0;
        p->greeted = 1;
        at = sizeof PREFACE;
    }
    while (p->greeted && p->have - at >= FRAME) {
        size_t length = get32(p->in + at) >> 8;
        if (length > FRAME_MAX) return 0;
        if (p->have - at < FRAME + length) break;
        take_frame(p, p->in + at, length);
        at += FRAME + length;
    }
    memmove(p->in, p->in + at, p->have -= at);
    return 1;
}

static void ready(Peer *p, uint32_t events) {
    int fine = 1;
    if (events & EPOLLOUT && (fine = flush(p))) answer_waiting(p);
    if (fine && events & ~(uint32_t)EPOLLOUT) {
        ssize_t n = read(p->fd, p->in + p->have, INPUT - p->have);
        if (n > 0) p->have += (size_t)n;
        fine = n > 0 ? take_input(p) : n < 0 && errno == EAGAIN;
    }
    if (!fine || !flush(p)) drop(p);
}

/* Sends the chunks whose turn it is; one that finds no room is left out, and the client sees a gap. */
static void tick(void) {
    uint64_t times;
    if (read(ticker, &times, sizeof times) != sizeof times) return;
    for (Peer *p = all, *next; p; p = next) {
        next = p->next;
        for (size_t i = 0; p->used && i < STREAMS; i++) {
            Stream *s = &p->streams[i];
            uint64_t wait = ((unsigned)s->slot + SLOTS - slot_now - 1) % SLOTS;
            if (!s->open || wait >= times) continue;
            if (s->window < CHUNK || p->window < CHUNK || !room(p, sizeof chunk)) continue;
            put32(chunk + 5, s->id);
            memcpy(p->out + p->out_len, chunk, sizeof chunk);
            p->out_len += sizeof chunk;
            p->window -= CHUNK;
            s->window -= CHUNK;
        }
        if (!flush(p)) drop(p);
    }
    slot_now = (unsigned)((slot_now + times) % SLOTS);
}

static int listen_on(const char *address, int port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t len = sizeof a;
    if (inet_pton(AF_INET, address, &a.sin_addr) != 1) { fprintf(stderr, "backend_h2: no address: %s\n", address); exit(2); }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 4096)) { perror("backend_h2: listen"); exit(1); }
    getsockname(fd, (struct sockaddr *)&a, &len);
    printf("%d\n", ntohs(a.sin_port));
    watch(EPOLL_CTL_ADD, fd, EPOLLIN);
    return fd;
}

int main(int argc, char **argv) {
    if (argc != 5) { fprintf(stderr, "usage: backend_h2 ADDRESS GET_PORT GRPC_PORT STREAM_PORT\n"); return 2; }
    signal(SIGPIPE, SIG_IGN);
    poller = epoll_create1(EPOLL_CLOEXEC);
    ticker = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    watch(EPOLL_CTL_ADD, ticker, EPOLLIN);
    put_frame_head(chunk, CHUNK, T_DATA, 0, 0);
    memset(chunk + FRAME, 'x', CHUNK);
    for (int kind = 0; kind < KINDS; kind++) {
        for (int form = 0; form < FORMS; form++) make_answer((Kind)kind, (Form)form);
        listeners[kind] = listen_on(argv[1], atoi(argv[2 + kind]));
    }
    fflush(stdout);
    struct epoll_event events[EVENTS];
    for (;;) {
        int n = epoll_wait(poller, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd, kind = 0;
            while (kind < KINDS && listeners[kind] != fd) kind++;
            if (kind < KINDS) take_connections((Kind)kind);
            else if (fd == ticker) tick();
            else if (peers[fd]) ready(peers[fd], events[i].events);
        }
    }
}
