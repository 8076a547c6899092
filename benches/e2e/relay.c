/* The bare relay, the limit that no proxy on epoll can pass: it copies bytes between two sockets and knows nothing.
 *
 *   relay copy|splice LISTEN_PORT TARGET_PORT      (on 127.0.0.1; listen port 0: any; it is printed)
 *
 * One upstream connection for each downstream one. `copy` reads and writes, `splice` moves pages through a pipe. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER = 64 << 10, EVENTS = 256, FILES = 65536, PIPE = 1 << 20 };

/* One side of a pair; what was read here and waits to be written to the other side. */
typedef struct Side {
    int fd, pipe[2];
    size_t start, end;      /* pending bytes in `buffer`; with splice `end` counts those in the pipe */
    int ending;             /* the end of this side is in sight: read until it comes */
    int finished, blocked;  /* it has come; the other side takes nothing now */
    struct Side *other;
    char *buffer;
} Side;

static Side *sides[FILES];
static int poller, splicing;
static struct sockaddr_in target;
static char scratch[BUFFER];

static void watch(int operation, Side *s, uint32_t events) {
    struct epoll_event e = {.events = events | EPOLLET, .data.fd = s->fd};
    epoll_ctl(poller, operation, s->fd, &e);
}

static void drop_side(Side *s) {
    sides[s->fd] = NULL;
    close(s->fd);
    if (splicing) { close(s->pipe[0]); close(s->pipe[1]); }
    free(s->buffer);
    free(s);
}

static void drop(Side *s) {
    drop_side(s->other);
    drop_side(s);
}

static Side *adopt(int fd) {
    int one = 1;
    Side *s = calloc(1, sizeof *s);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    s->fd = fd;
    if (splicing) {
        if (pipe2(s->pipe, O_NONBLOCK | O_CLOEXEC)) { perror("relay: pipe"); exit(1); }
        fcntl(s->pipe[1], F_SETPIPE_SZ, PIPE);
    }
    return sides[fd] = s;
}

static void take_connections(int listener) {
    for (;;) {
        int down = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (down < 0) return;
        int up = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (up < 0 || (connect(up, (struct sockaddr *)&target, sizeof target) && errno != EINPROGRESS)) {
            close(down);
            if (up >= 0) close(up);
            continue;
        }
        Side *a = adopt(down), *b = adopt(up);
        a->other = b;
        b->other = a;
        watch(EPOLL_CTL_ADD, a, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
        watch(EPOLL_CTL_ADD, b, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
    }
}

/* Writes pending bytes on: 1 when none are left, 0 when the other side is full, -1 when it is gone. */
static int push(Side *s) {
    while (s->start < s->end) {
        char *from = s->buffer ? s->buffer + s->start : scratch + s->start;
        ssize_t n = splicing ? splice(s->pipe[0], NULL, s->other->fd, NULL, s->end - s->start, SPLICE_F_MOVE | SPLICE_F_NONBLOCK)
                             : write(s->other->fd, from, s->end - s->start);
        if (n < 0 && (errno == EAGAIN || errno == ENOTCONN)) {
            if (!splicing && !s->buffer) {
                s->end -= s->start;
                s->buffer = malloc(BUFFER);
                memcpy(s->buffer, from, s->end);
                s->start = 0;
            }
            s->blocked = 1;
            return 0;
        }
        if (n <= 0) return -1;
        s->start += (size_t)n;
    }
    s->start = s->end = 0;
    s->blocked = 0;
    free(s->buffer);
    s->buffer = NULL;
    return 1;
}

/* Moves all that can be moved from this side to the other; -1 when the pair is to end. */
static int pump(Side *s) {
    int done = push(s);
    while (done == 1 && !s->finished) {
        ssize_t n = splicing ? splice(s->fd, NULL, s->pipe[1], NULL, PIPE, SPLICE_F_MOVE | SPLICE_F_NONBLOCK)
                             : read(s->fd, scratch, BUFFER);
        if (n < 0) return errno == EAGAIN || errno == ENOTCONN ? 0 : -1;
        if (n == 0) {
            s->finished = 1;
            shutdown(s->other->fd, SHUT_WR);
            return s->other->finished ? -1 : 0;
        }
        s->end = (size_t)n;
        done = push(s);
        /* Less than asked for: the socket is empty, and an edge will tell when it no longer is. */
        if (!splicing && !s->ending && done == 1 && n < BUFFER) return 0;
    }
    return done < 0 ? -1 : 0;
}

int main(int argc, char **argv) {
    if (argc != 4) { fprintf(stderr, "usage: relay copy|splice LISTEN_PORT TARGET_PORT\n"); return 2; }
    signal(SIGPIPE, SIG_IGN);
    splicing = !strcmp(argv[1], "splice");
    target = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[3])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&a, len) || listen(listener, 4096)) { perror("relay: listen"); return 1; }
    getsockname(listener, (struct sockaddr *)&a, &len);
    printf("%d\n", ntohs(a.sin_port));
    fflush(stdout);
    poller = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event e = {.events = EPOLLIN, .data.fd = listener}, events[EVENTS];
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &e);
    for (;;) {
        int n = epoll_wait(poller, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) { take_connections(fd); continue; }
            Side *s = sides[fd];
            if (!s) continue;
            int over = 0;
            if (events[i].events & EPOLLRDHUP) s->ending = 1;
            if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) over = pump(s);
            if (over >= 0 && (events[i].events & EPOLLOUT) && s->other->blocked) over = pump(s->other);
            if (over < 0) drop(s);
        }
    }
}
