/* The contract between meshcore's engine and native hooks; C11 and C++17.
 *
 * A filter is a table of functions, `mc_filter`, that lives as long as the process. The engine
 * finds it
 *   - in a Python capsule named MESHCORE_FILTER_CAPSULE, which the entry point of the group
 *     `meshcore.filters` returns; the entry point and the table have the same name; or
 *   - in a shared library that exports `meshcore_filter_v1` (a hook's `native: ./libname.so`).
 * It copies the table while it loads a configuration and never unloads it.
 *
 * Versions. Tables only grow, at their ends; MESHCORE_ABI_MINOR says how far. A filter that was
 * built with an older header has a shorter table, whose missing members count as null. A filter
 * that was built with a newer header than the engine's runs too, if it asks MESHCORE_HAS before it
 * uses a newer member of `mc_host`. Another MESHCORE_ABI_MAJOR is refused.
 *
 * Threads. An instance of a filter is called by all of the engine's workers at the same time, each
 * with a request of its own: what `state` points to is constant, atomic or locked. A request is
 * called by one worker at a time. No callback may block, loop for long or enter the Python
 * interpreter (Cython: `noexcept nogil`): its worker serves thousands of other connections.
 *
 * Lifetimes. `host` is valid for ever; `req` until its callback returns, on its thread alone. A
 * view that the engine gives is valid until the next change of what it shows, and no longer than
 * the callback; what the engine is given it copies before it returns.
 *
 * Errors are return codes. No C++ exception, Rust panic or longjmp may leave a callback: the
 * process would end.
 */
#ifndef MESHCORE_ABI_H
#define MESHCORE_ABI_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define MESHCORE_ABI_MAJOR 1u
#define MESHCORE_ABI_MINOR 1u

#define MESHCORE_FILTER_CAPSULE "meshcore.filter.v1"

/* What a callback returns. Besides these, 400 to 599: the request is answered with that status and
 * no more; a connection is closed. Anything else is a fault, which counts, and for which the hook's
 * `on_error` says whether the request goes on or is answered with 500. */
#define MESHCORE_CONTINUE 0 /* go on, with the changes that were made */
#define MESHCORE_ANSWERED 1 /* after `respond`: send that answer */
#define MESHCORE_PAUSE 2    /* after `pause`: wait for `resume` */

/* What the functions of `mc_host` return when they refuse; nothing was changed then. */
#define MESHCORE_REFUSED_PHASE (-1)   /* it has no place in this callback */
#define MESHCORE_REFUSED_INVALID (-2) /* null, no valid value, or a field of the engine's own */
#define MESHCORE_REFUSED_FULL (-3)    /* a bound is reached */
#define MESHCORE_REFUSED_UNKNOWN (-4) /* there is no such thing */
#define MESHCORE_REFUSED_FAILED (-5)  /* the engine has a bug, and survived it */

/* mc_filter.flags: the filter may call `set_body` for requests' or answers' bodies, whose length is
 * then not known before. */
#define MESHCORE_EDITS_REQUEST_BODY 1u
#define MESHCORE_EDITS_RESPONSE_BODY 2u

/* The levels of `log`. */
#define MESHCORE_LOG_ERROR 0
#define MESHCORE_LOG_WARNING 1
#define MESHCORE_LOG_INFO 2
#define MESHCORE_LOG_DEBUG 3

/* Whether this engine has a member of mc_host. Members of 1.0 need no question. */
#define MESHCORE_HAS(host, member) \
    ((host)->struct_size >= offsetof(mc_host, member) + sizeof((host)->member))

#if defined(__GNUC__)
#define MESHCORE_EXPORT __attribute__((visibility("default")))
#else
#define MESHCORE_EXPORT
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes that belong to someone else. No NUL at their end; of the empty ones `ptr` may be null. */
typedef struct mc_str {
    const uint8_t *ptr;
    size_t len;
} mc_str;

/* Engine to filter. One table for the whole process.
 *
 * Functions that give a view through a pointer return 1 where there is something, and 0 where there
 * is nothing and the view is empty. Those that change something return 0. Both return one of
 * MESHCORE_REFUSED_… (< 0) otherwise. Names of fields are compared without regard to case. */
typedef struct mc_host {
    uint32_t abi;         /* MESHCORE_ABI_MAJOR */
    uint32_t struct_size; /* bytes of this table in this engine */

    /* -- 1.0 -- */

    /* The first value of a field of the message whose head it is, with the changes made so far: of
     * the request in on_request and on_upstream, of the answer in on_response. The other callbacks
     * see no fields: what they need of them is kept by set_data or set_metadata. */
    int (*get_header)(void *req, mc_str name, mc_str *value);
    /* The field has this value alone. In on_request, on_upstream and on_response, and after
     * `respond` of its answer. Fields that frame a message or belong to one connection, and `host`,
     * are the engine's own. */
    int (*set_header)(void *req, mc_str name, mc_str value);

    /* -- 1.1 -- */

    /* The field has this value too. As set_header. */
    int (*add_header)(void *req, mc_str name, mc_str value);
    /* The field goes. As set_header. */
    int (*remove_header)(void *req, mc_str name);
    /* The fields of the message as it came, one by one; 0 behind the last. */
    int (*header_at)(void *req, size_t index, mc_str *name, mc_str *value);

    /* Facts. Those of the request's head (method to protocol, and its id) are there in on_request
     * and on_upstream; those of the connection (identity to listener) in every callback; route,
     * cluster and endpoint once they are known. */
    int (*get_method)(void *req, mc_str *value);
    int (*get_path)(void *req, mc_str *value);      /* normalised, without the query */
    int (*get_query)(void *req, mc_str *value);     /* behind the `?`, not decoded */
    int (*get_authority)(void *req, mc_str *value); /* host and port, as they came */
    int (*get_scheme)(void *req, mc_str *value);    /* `http` or `https` */
    int (*get_protocol)(void *req, mc_str *value);  /* `HTTP/1.1`, `HTTP/2` and so on */
    int (*get_identity)(void *req, mc_str *value);  /* what the client's certificate proved */
    int (*get_source_address)(void *req, mc_str *value); /* the client's address and port */
    int (*get_source_ip)(void *req, mc_str *value);      /* the client's address alone */
    int (*get_local_address)(void *req, mc_str *value);  /* the address that the client dialled */
    int (*get_server_name)(void *req, mc_str *value);    /* what the client's TLS hello asked for */
    int (*get_listener)(void *req, mc_str *value);       /* its name */
    int (*get_route)(void *req, mc_str *value);          /* its name */
    int (*get_cluster)(void *req, mc_str *value);        /* its name, once one is chosen */
    int (*get_endpoint)(void *req, mc_str *value);       /* its address, once one is chosen */
    int (*get_request_id)(void *req, mc_str *value);

    /* What the upstream gets; the route stays the one that was found. In on_request and
     * on_upstream. A path begins with `/` and has no query: the query stays. */
    int (*set_method)(void *req, mc_str value);
    int (*set_path)(void *req, mc_str value);

    /* The answer's status; 0 before there is one. */
    int (*get_status)(void *req);

    /* Sends the request to another cluster than its route's. In on_request and on_upstream. */
    int (*route_to)(void *req, mc_str cluster);

    /* The piece that passes, in on_request_body and on_response_body; it may be empty where the
     * body ends. Pieces are as long as they came: what a filter looks for may be cut by their
     * borders, and what it keeps between them is its own (set_data). */
    int (*get_body)(void *req, mc_str *bytes);
    /* 1: nothing of the body follows this piece. */
    int (*body_ends)(void *req);
    /* Another piece in its place, of any length. Needs the flag MESHCORE_EDITS_…_BODY. */
    int (*set_body)(void *req, mc_str bytes);

    /* Notes of the request, which all hooks see. */
    int (*get_metadata)(void *req, mc_str key, mc_str *value);
    int (*set_metadata)(void *req, mc_str key, mc_str value);

    /* A pointer of this hook for this request, null at first: the engine only keeps it. on_log is
     * the place to free what it points to. */
    void *(*get_data)(void *req);
    int (*set_data)(void *req, void *data);

    /* Prepares an answer: 200 to 599, with a body that may be empty. In on_request, on_upstream and
     * on_response. set_header, add_header and remove_header then work on its fields. It is sent
     * when the callback returns MESHCORE_ANSWERED; after `respond` MESHCORE_CONTINUE is a fault. */
    int (*respond)(void *req, int status, mc_str body);

    /* A line for the operator: MESHCORE_LOG_…. The engine drops lines where they are many. */
    int (*log)(void *req, int level, mc_str text);

    /* A counter of this instance, shown with the engine's metrics: letters, digits and `_`, at most
     * 64 of them, no digit first. Only in `create`. Returns its id (>= 0), the same for the same
     * name; an instance has at most 64. */
    int (*define_counter)(mc_str name);
    /* Adds to a counter of this instance. */
    int (*add_counter)(void *req, int id, uint64_t n);

    /* Lets the request wait once the callback returns MESHCORE_PAUSE, until `resume` is called with
     * the token or the hook's timeout has passed (a fault). Only in on_request, and once in each
     * call of it. */
    int (*pause)(void *req, void **token);
    /* From any thread, before or after the callback has returned, exactly once. `code` takes the
     * place of the callback's: MESHCORE_CONTINUE or 400 to 599. The token is used up, whatever
     * this returns; MESHCORE_REFUSED_UNKNOWN: nothing waits for it, any longer or at all. */
    int (*resume)(void *token, int code);

    /* Nanoseconds of a clock that never goes back. */
    uint64_t (*now)(void);
} mc_host;

/* A phase's function. `state` is what `create` made or, without it, mc_filter.state. */
typedef int (*mc_callback)(const mc_host *host, void *req, void *state);
typedef mc_callback mc_on_request;

/* Makes an instance for a hook's `config`: JSON, or the text itself where it is a string; empty
 * where there is none. Returns 0, with `*state` as it shall be passed to the callbacks, or anything
 * else to refuse; `*error` then may say why, in UTF-8, valid until this thread calls the filter
 * again. Never called by two threads at the same time. May block for a moment; must not enter the
 * Python interpreter. Instances are also made to check a configuration, and then destroyed unused. */
typedef int (*mc_create)(const mc_host *host, mc_str config, void **state, mc_str *error);
/* Frees it: once, from any thread, when nothing uses the instance any longer. */
typedef void (*mc_destroy)(void *state);

/* Filter to engine. Zero what isn't used (`mc_filter table = {0}`, or static). */
typedef struct mc_filter {
    uint32_t abi;         /* MESHCORE_ABI_MAJOR */
    uint32_t struct_size; /* sizeof(mc_filter) */

    /* -- 1.0 -- */

    const char *name; /* ends with NUL; 1 to 64 letters, digits, `_`, `-` and `.` */
    /* A request's head has its route. */
    mc_on_request on_request;
    void *state; /* for the callbacks of a filter without `create` */

    /* -- 1.1 -- a filter has one of the callbacks at least -- */

    uint32_t flags;    /* MESHCORE_EDITS_… */
    uint32_t reserved; /* 0 */
    mc_create create;  /* a filter without it takes no config */
    mc_destroy destroy;
    /* A connection was accepted, and its TLS handshake has ended. 400 to 599 close it. */
    mc_callback on_connection;
    /* A piece of a request's body passes. */
    mc_callback on_request_body;
    /* A cluster was chosen, and no endpoint yet. */
    mc_callback on_upstream;
    /* An upstream's head has come. */
    mc_callback on_response;
    /* A piece of an answer's body passes: its head has gone, all but MESHCORE_CONTINUE cuts it. */
    mc_callback on_response_body;
    /* A request has ended, however. What this returns is ignored. Called exactly once for each
     * request that on_request saw, also where a hook answered it or its client left: the place to
     * free what belongs to it. Requests that ended before on_request may come here too. */
    mc_callback on_log;
} mc_filter;

/* What a shared library exports. The table lives as long as the process. */
MESHCORE_EXPORT const mc_filter *meshcore_filter_v1(void);

/* A C string as a view. */
static inline mc_str mc_text(const char *text) {
    mc_str view;
    view.ptr = (const uint8_t *)text;
    view.len = strlen(text);
    return view;
}

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* MESHCORE_ABI_H */
