/* What backend_h2.c answers: frames made once, of which only the stream's number changes. */
#include <arpa/inet.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { FRAME = 9, T_DATA = 0, T_HEADERS = 1, END_STREAM = 1, END_HEADERS = 4, MESSAGE = 100, BODY = 1024, PERIOD = 251 };

typedef enum { GET, GRPC, STREAM, KINDS } Kind;
/* How a head is written: the first into the peer's table, later ones from it; to a peer that wants none, in full. */
typedef enum { FIRST, LATER, FULL, FORMS } Form;
typedef struct { const char *name, *value; uint8_t index; } Field; /* index: of the name in the static table */
typedef struct { uint8_t bytes[2048]; size_t len, id_at[3], ids, data; } Answer;

static const Field HEADS[KINDS][4] = {
    {{"x-backend", "backend", 0}, {"content-type", "text/plain", 31}, {"content-length", "1024", 28}},
    {{"content-type", "application/grpc", 31}},
    {{"content-type", "text/event-stream", 31}},
};
static const Field TRAILER = {"grpc-status", "0", 0};
static Answer answers[KINDS][FORMS];

static void put32(uint8_t *at, size_t value) {
    uint32_t wire = htonl((uint32_t)value);
    memcpy(at, &wire, 4);
}

static uint32_t get32(const uint8_t *at) {
    uint32_t wire;
    memcpy(&wire, at, 4);
    return ntohl(wire);
}

static void put_frame_head(uint8_t *at, size_t length, uint8_t type, uint8_t flags, uint32_t id) {
    put32(at, length << 8 | type);
    at[4] = flags;
    put32(at + 5, id);
}

static size_t put_text(uint8_t *at, const char *text) {
    at[0] = (uint8_t)strlen(text);
    memcpy(at + 1, text, at[0]);
    return 1U + at[0];
}

/* One field (RFC 7541 §6); `after` is how many fields enter the table after it. */
static size_t put_field(uint8_t *at, const Field *f, Form form, size_t after) {
    size_t n = 1;
    at[0] = form == LATER ? (uint8_t)(0x80 | (62 + after)) : form == FIRST ? 0x40 | f->index : f->index;
    if (form == LATER) return 1;
    if (form == FULL && f->index >= 15) { at[0] = 0x0f; at[1] = f->index - 15; n = 2; }
    if (!f->index) n += put_text(at + n, f->name);
    return n + put_text(at + n, f->value);
}

static void add_frame(Answer *a, uint8_t type, uint8_t flags, const uint8_t *payload, size_t length) {
    a->id_at[a->ids++] = a->len + 5;
    put_frame_head(a->bytes + a->len, length, type, flags, 0);
    memcpy(a->bytes + a->len + FRAME, payload, length);
    a->len += FRAME + length;
}

static void make_answer(Kind kind, Form form) {
    Answer *a = &answers[kind][form];
    uint8_t block[512], body[BODY] = {0};
    size_t n = 0, fields = 0, prefix = kind == GRPC ? 5 : 0;
    if (form == FULL) block[n++] = 0x20; /* the table's size is 0 (RFC 7541 §6.3) */
    block[n++] = 0x88;                   /* :status: 200 */
    while (HEADS[kind][fields].name) fields++;
    for (size_t i = 0; i < fields; i++)
        n += put_field(block + n, &HEADS[kind][i], form, fields - 1 - i + (kind == GRPC));
    add_frame(a, T_HEADERS, END_HEADERS, block, n);
    if (kind == STREAM) return;
    a->data = kind == GET ? BODY : prefix + MESSAGE;
    put32(body + 1, MESSAGE);
    for (size_t i = prefix; i < a->data; i++) body[i] = (uint8_t)('a' + (i % PERIOD) * 7 % 26);
    add_frame(a, T_DATA, kind == GET ? END_STREAM : 0, body, a->data);
    if (kind == GRPC) add_frame(a, T_HEADERS, END_HEADERS | END_STREAM, block, put_field(block, &TRAILER, form, 0));
}
