# cython: language_level=3, freethreading_compatible=True
"""The filter `pii_mask`: e-mail addresses and card numbers in bodies become a fixed text.

    config: {mail: "[e-mail]", card: "[card]"}      # both have these defaults

Bodies stream: what may be cut by the border of two pieces, at most some hundred bytes, is held
back until the next piece comes. Only text is looked into. A coded (compressed) text can't be, so
answers are asked for without a coding; where one has one all the same, it doesn't pass.
"""

from cpython.pycapsule cimport PyCapsule_New
from libc.stdint cimport uint8_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

from meshcore.abi cimport (
    MESHCORE_ABI_MAJOR,
    MESHCORE_CONTINUE,
    MESHCORE_EDITS_REQUEST_BODY,
    MESHCORE_EDITS_RESPONSE_BODY,
    MESHCORE_FILTER_CAPSULE,
    mc_filter,
    mc_host,
    mc_str,
    mc_text,
)
from meshcore_sample_hooks.masking cimport (
    MASK_MOST, Mask, Masking, feed, release
)
from meshcore_sample_hooks.reading cimport Json, ended, equals, next_item, opened, read_pair, took


# Constant once it is made: workers need no lock.
cdef struct Masks:
    Mask mail
    Mask card
    int masked


cdef struct Body:
    bint passes             # it is no text
    Masking masking


# What a request has to remember, from when it first does to on_log.
cdef struct Request:
    Body sent
    Body answered


cdef bint read_mask(Mask *mask, mc_str text) noexcept nogil:
    if text.len > MASK_MOST:
        return False
    memcpy(mask.text, text.ptr, text.len)
    mask.length = text.len
    return True


cdef const char *read_config(Json *json, Masks *masks) noexcept nogil:
    """What is wrong, or NULL."""
    cdef mc_str key, value
    cdef bint first = True
    if not took(json, c'{'):
        return b"config: must be a mapping"
    while next_item(json, &first):
        if not read_pair(json, &key, &value):
            return b"config: mail and card must be strings"
        if not (equals(key, b"mail") or equals(key, b"card")):
            return b"config: has a key that is neither mail nor card"
        if not read_mask(&masks.mail if equals(key, b"mail") else &masks.card, value):
            return b"config: a mask has at most 64 bytes"
    if not ended(json):
        return b"config: not valid"
    return NULL


cdef int create(const mc_host *host, mc_str config, void **state, mc_str *error) noexcept nogil:
    cdef Masks *masks
    cdef uint8_t *strings
    cdef Json json
    cdef const char *wrong = NULL
    if host.struct_size < sizeof(mc_host):
        error[0] = mc_text(b"it was built for a newer meshcore")
        return 1
    masks = <Masks *>calloc(1, sizeof(Masks))
    strings = <uint8_t *>malloc(config.len + 1)
    if masks == NULL or strings == NULL:
        free(masks)
        free(strings)
        return 1
    read_mask(&masks.mail, mc_text(b"[e-mail]"))
    read_mask(&masks.card, mc_text(b"[card]"))
    masks.masked = host.define_counter(mc_text(b"masked"))
    if config.len > 0:
        json = opened(config, strings)
        wrong = read_config(&json, masks)
    free(strings)
    if wrong != NULL:
        error[0] = mc_text(wrong)
        free(masks)
        return 1
    state[0] = masks
    return 0


cdef void destroy(void *state) noexcept nogil:
    free(state)


cdef bint has(mc_str text, const char *part) noexcept nogil:
    """Whether it has this part, in small letters, in whichever case."""
    cdef mc_str wanted = mc_text(part)
    cdef size_t i, j
    if text.len < wanted.len:
        return False
    for i in range(text.len - wanted.len + 1):
        j = 0
        while j < wanted.len and (
            text.ptr[i + j] == wanted.ptr[j]
            or (c'A' <= text.ptr[i + j] <= c'Z' and (text.ptr[i + j] | 0x20) == wanted.ptr[j])
        ):
            j += 1
        if j == wanted.len:
            return True
    return False


cdef bint is_text(const mc_host *host, void *req) noexcept nogil:
    """Whether the message's body is text; one that doesn't say is taken for it."""
    cdef mc_str kind
    if host.get_header(req, mc_text(b"content-type"), &kind) != 1:
        return True
    return (
        has(kind, b"text/") or has(kind, b"json") or has(kind, b"xml")
        or has(kind, b"x-www-form-urlencoded") or has(kind, b"multipart/form-data")
    )


cdef bint is_coded(const mc_host *host, void *req) noexcept nogil:
    cdef mc_str coding
    return (
        host.get_header(req, mc_text(b"content-encoding"), &coding) == 1
        and not has(coding, b"identity")
    )


cdef Request *request_of(const mc_host *host, void *req) noexcept nogil:
    """What it remembers; NULL where there is no memory."""
    cdef Request *request = <Request *>host.get_data(req)
    if request == NULL:
        request = <Request *>calloc(1, sizeof(Request))
        if request != NULL and host.set_data(req, request) < 0:
            free(request)
            return NULL
    return request


cdef int on_request(const mc_host *host, void *req, void *state) noexcept nogil:
    cdef Request *request
    if not is_text(host, req):
        request = request_of(host, req)
        if request == NULL:
            return 500
        request.sent.passes = True
    elif is_coded(host, req):
        return 415
    # A range may begin in the middle of what must be masked.
    if (
        host.set_header(req, mc_text(b"accept-encoding"), mc_text(b"identity")) < 0
        or host.remove_header(req, mc_text(b"range")) < 0
    ):
        return -1
    return MESHCORE_CONTINUE


cdef int on_response(const mc_host *host, void *req, void *state) noexcept nogil:
    cdef Request *request
    if not is_text(host, req):
        request = request_of(host, req)
        if request == NULL:
            return 500
        request.answered.passes = True
    elif is_coded(host, req):
        return 502
    return MESHCORE_CONTINUE


cdef int mask(const mc_host *host, void *req, const Masks *masks, bint answers) noexcept nogil:
    cdef Request *request = request_of(host, req)
    cdef Body *body
    cdef mc_str piece
    if request == NULL:
        return 500
    body = &request.answered if answers else &request.sent
    if body.passes:
        return MESHCORE_CONTINUE
    if host.get_body(req, &piece) < 0:
        return -1
    body.masking.found = 0
    if not feed(
        &body.masking, piece.ptr, piece.len, host.body_ends(req) == 1, &masks.mail, &masks.card
    ):
        return 500
    if body.masking.found > 0:
        host.add_counter(req, masks.masked, body.masking.found)
    piece.ptr = body.masking.out.bytes
    piece.len = body.masking.out.length
    return MESHCORE_CONTINUE if host.set_body(req, piece) == 0 else -1


cdef int on_request_body(const mc_host *host, void *req, void *state) noexcept nogil:
    return mask(host, req, <const Masks *>state, False)


cdef int on_response_body(const mc_host *host, void *req, void *state) noexcept nogil:
    return mask(host, req, <const Masks *>state, True)


cdef int on_log(const mc_host *host, void *req, void *state) noexcept nogil:
    cdef Request *request = <Request *>host.get_data(req)
    if request != NULL:
        release(&request.sent.masking)
        release(&request.answered.masking)
        free(request)
        host.set_data(req, NULL)
    return MESHCORE_CONTINUE


cdef mc_filter table
table.abi = MESHCORE_ABI_MAJOR
table.struct_size = sizeof(mc_filter)
table.name = b"pii_mask"
table.flags = MESHCORE_EDITS_REQUEST_BODY | MESHCORE_EDITS_RESPONSE_BODY
table.create = create
table.destroy = destroy
table.on_request = on_request
table.on_request_body = on_request_body
table.on_response = on_response
table.on_response_body = on_response_body
table.on_log = on_log


def load():
    """The entry point `pii_mask` of the group meshcore.filters."""
    return PyCapsule_New(&table, MESHCORE_FILTER_CAPSULE, NULL)


def masked(pieces):
    """What becomes of a body that comes in these pieces of bytes, piece by piece; for tests."""
    cdef Masking masking
    cdef Mask mail, card
    cdef bytes piece
    memset(&masking, 0, sizeof(masking))
    read_mask(&mail, mc_text(b"[e-mail]"))
    read_mask(&card, mc_text(b"[card]"))
    found = []
    last = len(pieces) - 1
    for index, piece in enumerate(pieces):
        if not feed(&masking, piece, <size_t>len(piece), index == last, &mail, &card):
            raise MemoryError
        found.append(masking.out.bytes[:masking.out.length])
    release(&masking)
    return found
