/* The benches' backend: one thread, epoll, answers that cost next to nothing.
 *
 *   backend NAME ADDRESS HTTP_PORT [TCP_PORT]      (port 0: any; the ports are printed, a line each)
 *
 * HTTP/1.1: /1k /64k /1m /size/N /chunked/N /empty /delay/MILLISECONDS; everything else answers 1 KiB. Bodies
 * repeat a pattern of 251 bytes. Each answer carries `x-backend: NAME`; `x-echo` comes back as it was sent; a
 * request's body is read to its end, counted, and told in `x-received`. TCP: `P N` is answered with N bytes. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { PERIOD = 251, PIECE = 1 << 20, INPUT = 16384, HEAD = 1024, CHUNK = 16384, EVENTS = 256, FILES = 65536 };

typedef enum { READ_HEAD, READ_BODY, WAIT, WRITE } State;
typedef enum { SIZE_LINE, DATA, DATA_END, TRAILER } ChunkPart;

typedef struct Peer {
    int fd, tcp, keep, chunked_in, chunked_out, writing;
    State state;
    ChunkPart part;
    size_t have, used;               /* bytes in `in`, and how many of them are done with */
    uint64_t body_left, received;    /* of the request's body, or of its current chunk */
    size_t head_len, head_sent;      /* framing that goes before the data of this segment */
    uint64_t sent, segment, rest;    /* data sent, left in this segment, left after it */
    int last;                        /* nothing follows this segment */
    int64_t due;
    struct Peer *next_waiting;
    char echo[64], path[128], head[HEAD], in[INPUT];
} Peer;

static char pattern[PIECE + PERIOD];
static const char *name;
static int poller, http_listener, tcp_listener = -1;
static Peer *peers[FILES], *waiting;

static int64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static void drop(Peer *p) {
    for (Peer **at = &waiting; *at; at = &(*at)->next_waiting)
        if (*at == p) { *at = p->next_waiting; break; }
    peers[p->fd] = NULL;
    close(p->fd);
    free(p);
}

static void watch(int operation, int fd, uint32_t events) {
    struct epoll_event e = {.events = events, .data.fd = fd};
    epoll_ctl(poller, operation, fd, &e);
}

static int listen_on(const char *address, int port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t len = sizeof a;
    if (inet_pton(AF_INET, address, &a.sin_addr) != 1) { fprintf(stderr, "backend: no address: %s\n", address); exit(2); }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 4096)) { perror("backend: listen"); exit(1); }
    getsockname(fd, (struct sockaddr *)&a, &len);
    printf("%d\n", ntohs(a.sin_port));
    watch(EPOLL_CTL_ADD, fd, EPOLLIN);
    return fd;
}

static void take_connections(int listener) {
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), one = 1;
        if (fd < 0) return;
        Peer *p = fd < FILES ? calloc(1, sizeof *p) : NULL;
        if (!p) { close(fd); continue; }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        p->fd = fd;
        p->tcp = listener == tcp_listener;
        peers[fd] = p;
        watch(EPOLL_CTL_ADD, fd, EPOLLIN);
    }
}

/* ---- answers ---- */

static uint64_t size_of(const char *path) {
    if (!strncmp(path, "/64k", 4)) return 64 << 10;
    if (!strncmp(path, "/1m", 3)) return 1 << 20;
    if (!strncmp(path, "/empty", 6)) return 0;
    if (!strncmp(path, "/size/", 6)) return strtoull(path + 6, NULL, 10);
    if (!strncmp(path, "/chunked/", 9)) return strtoull(path + 9, NULL, 10);
    return 1024;
}

/* Begins the next segment of a chunked answer: the line end of the last chunk, a size line, its data. */
static void next_chunk(Peer *p, int first) {
    p->segment = p->rest < CHUNK ? p->rest : CHUNK;
    p->rest -= p->segment;
    p->last = p->segment == 0;
    p->head_len += (size_t)snprintf(p->head + p->head_len, HEAD - p->head_len, "%s%llx\r\n%s", first ? "" : "\r\n",
                                    (unsigned long long)p->segment, p->last ? "\r\n" : "");
}

static void prepare(Peer *p) {
    char extra[160] = "", framing[64] = "transfer-encoding: chunked";
    size_t n = 0;
    if (p->echo[0]) n += (size_t)snprintf(extra, sizeof extra, "x-echo: %s\r\n", p->echo);
    if (p->received) snprintf(extra + n, sizeof extra - n, "x-received: %llu\r\n", (unsigned long long)p->received);
    uint64_t size = size_of(p->path);
    p->chunked_out = !strncmp(p->path, "/chunked/", 9);
    if (!p->chunked_out) snprintf(framing, sizeof framing, "content-length: %llu", (unsigned long long)size);
    p->head_len = (size_t)snprintf(p->head, HEAD, "HTTP/1.1 200 OK\r\nx-backend: %s\r\ncontent-type: text/plain\r\n%s%s%s\r\n\r\n",
                                   name, extra, p->keep ? "" : "connection: close\r\n", framing);
    p->head_sent = p->sent = 0;
    p->segment = size;
    p->rest = 0;
    p->last = 1;
    if (p->chunked_out) { p->rest = size; next_chunk(p, 1); }
    p->state = WRITE;
    if (!strncmp(p->path, "/delay/", 7)) {
        p->state = WAIT;
        p->due = now_ms() + atoi(p->path + 7);
        p->next_waiting = waiting;
        waiting = p;
    }
}

/* 1 when the answer is out, 0 when the socket is full, -1 when the peer is gone. */
static int send_answer(Peer *p) {
    for (;;) {
        while (p->head_sent < p->head_len || p->segment) {
            struct iovec v[2] = {
                {p->head + p->head_sent, p->head_len - p->head_sent},
                {pattern + p->sent % PERIOD, p->segment < PIECE ? (size_t)p->segment : PIECE},
            };
            ssize_t n = writev(p->fd, v, 2);
            if (n < 0) return errno == EAGAIN ? 0 : -1;
            size_t framing = (size_t)n < v[0].iov_len ? (size_t)n : v[0].iov_len;
            p->head_sent += framing;
            p->sent += (size_t)n - framing;
            p->segment -= (size_t)n - framing;
        }
        if (p->last) return 1;
        p->head_len = p->head_sent = 0;
        next_chunk(p, 0);
    }
}

/* ---- requests ---- */

static void copy_value(char *to, size_t room, const char *from, const char *end) {
    while (from < end && *from == ' ') from++;
    size_t n = (size_t)(end - from);
    if (n >= room) n = room - 1;
    memcpy(to, from, n);
    to[n] = 0;
}

static void read_field(Peer *p, const char *line, const char *end, int *expect) {
    static const struct { const char *name; size_t length; } fields[] = {
        {"content-length:", 15}, {"transfer-encoding:", 18}, {"connection:", 11}, {"x-echo:", 7}, {"expect:", 7}};
    char value[32];
    for (int i = 0; i < 5; i++) {
        if ((size_t)(end - line) < fields[i].length || strncasecmp(line, fields[i].name, fields[i].length)) continue;
        copy_value(value, sizeof value, line + fields[i].length, end);
        if (i == 0) p->body_left = strtoull(value, NULL, 10);
        else if (i == 1) p->chunked_in = 1;
        else if (i == 2) p->keep = strcasecmp(value, "close") != 0;
        else if (i == 3) copy_value(p->echo, sizeof p->echo, line + 7, end);
        else *expect = 1;
        return;
    }
}

/* Reads the head at the front of the input: 1 if it was whole, 0 if not yet. */
static int read_head(Peer *p) {
    char *start = p->in + p->used, *end = memmem(start, p->have - p->used, "\r\n\r\n", 4);
    int expect = 0;
    if (!end) return 0;
    char *line = memchr(start, '\r', (size_t)(end - start) + 1), *path = memchr(start, ' ', (size_t)(line - start));
    p->keep = line - start > 8 && !memcmp(line - 8, "HTTP/1.1", 8);
    p->body_left = p->received = 0;
    p->chunked_in = 0;
    p->part = SIZE_LINE;
    p->echo[0] = p->path[0] = 0;
    if (path) copy_value(p->path, sizeof p->path, path + 1, line);
    while (line < end) {
        char *next = memchr(line + 2, '\r', (size_t)(end - line) - 1);
        read_field(p, line + 2, next, &expect);
        line = next;
    }
    p->used = (size_t)(end + 4 - p->in);
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    if (expect && write(p->fd, go_on, sizeof go_on - 1) < 0) return 0;
    p->state = READ_BODY;
    return 1;
}

/* Takes a chunked request's framing: 1 when its body is over, 0 when input is missing, -1 when it is wrong. */
static int read_chunks(Peer *p) {
    for (;;) {
        size_t left = p->have - p->used;
        if (p->part == DATA) {
            size_t take = p->body_left < left ? (size_t)p->body_left : left;
            p->used += take;
            p->received += take;
            p->body_left -= take;
            if (p->body_left) return 0;
            p->part = DATA_END;
            continue;
        }
        char *line = p->in + p->used, *end = memmem(line, left, "\r\n", 2);
        if (!end) return left > 256 ? -1 : 0;
        p->used = (size_t)(end + 2 - p->in);
        if (p->part == DATA_END) p->part = SIZE_LINE;
        else if (p->part == TRAILER) { if (end == line) return 1; }
        else if ((p->body_left = strtoull(line, NULL, 16)) == 0) p->part = TRAILER;
        else p->part = DATA;
    }
}

static int read_body(Peer *p) {
    if (p->chunked_in) return read_chunks(p);
    size_t left = p->have - p->used, take = p->body_left < left ? (size_t)p->body_left : left;
    p->used += take;
    p->received += take;
    p->body_left -= take;
    return p->body_left == 0;
}

/* `P N`, answered with N bytes. */
static int read_line(Peer *p) {
    char *line = p->in + p->used, *end = memchr(line, '\n', p->have - p->used);
    if (!end) return 0;
    p->used = (size_t)(end + 1 - p->in);
    p->segment = line[0] == 'P' ? strtoull(line + 1, NULL, 10) : 0;
    p->head_len = p->head_sent = p->sent = p->rest = 0;
    p->last = p->keep = 1;
    p->state = WRITE;
    return 1;
}

/* Does all that can be done now: 1 to wait for input, 2 for room to write, 3 for time, -1 to end. */
static int work(Peer *p) {
    for (;;) {
        int done = 1;
        if (p->state == READ_HEAD && !(p->tcp ? read_line(p) : read_head(p))) return 1;
        if (p->state == READ_BODY && (done = read_body(p)) != 1) return done ? -1 : 1;
        if (p->state == READ_BODY) prepare(p);
        if (p->state == WAIT) return 3;
        if (p->state == WRITE && (done = send_answer(p)) != 1) return done ? -1 : 2;
        if (!p->keep) return -1;
        p->state = READ_HEAD;
    }
}

static void step(Peer *p) {
    int wish = work(p);
    if (p->used == p->have) p->used = p->have = 0;
    else if (p->used) {
        memmove(p->in, p->in + p->used, p->have - p->used);
        p->have -= p->used;
        p->used = 0;
    }
    if (wish < 0 || (wish == 1 && p->have == INPUT)) { drop(p); return; }
    if ((wish == 2) != p->writing) {
        p->writing = wish == 2;
        watch(EPOLL_CTL_MOD, p->fd, p->writing ? EPOLLOUT : EPOLLIN);
    }
}

static void readable(Peer *p) {
    if (p->have == INPUT) { drop(p); return; }
    ssize_t n = read(p->fd, p->in + p->have, INPUT - p->have);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) { drop(p); return; }
    p->have += (size_t)n;
    if (p->state != WAIT) step(p);
}

/* Sends the delayed answers that are due; how long to sleep until the next one. */
static int wake_waiting(void) {
    if (!waiting) return -1;
    int64_t now = now_ms(), soonest = -1;
    for (Peer **at = &waiting; *at;) {
        Peer *p = *at;
        if (p->due <= now) {
            *at = p->next_waiting;
            p->state = WRITE;
            step(p);
            at = &waiting;
            soonest = -1;
            continue;
        }
        if (soonest < 0 || p->due - now < soonest) soonest = p->due - now;
        at = &p->next_waiting;
    }
    return (int)soonest;
}

int main(int argc, char **argv) {
    if (argc < 4) { fprintf(stderr, "usage: backend NAME ADDRESS HTTP_PORT [TCP_PORT]\n"); return 2; }
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < sizeof pattern; i++) pattern[i] = (char)('a' + (i % PERIOD) * 7 % 26);
    name = argv[1];
    poller = epoll_create1(EPOLL_CLOEXEC);
    http_listener = listen_on(argv[2], atoi(argv[3]));
    if (argc > 4) tcp_listener = listen_on(argv[2], atoi(argv[4]));
    fflush(stdout);
    struct epoll_event events[EVENTS];
    for (;;) {
        int n = epoll_wait(poller, events, EVENTS, wake_waiting());
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == http_listener || fd == tcp_listener) { take_connections(fd); continue; }
            Peer *p = peers[fd];
            if (!p) continue;
            if (p->writing) step(p);
            else readable(p);
        }
    }
}
