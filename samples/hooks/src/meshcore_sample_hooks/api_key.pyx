# cython: language_level=3, freethreading_compatible=True
"""The filter `api_key`: who calls must bring a known key, and the upstream is told whose it is.

    config:
      keys: {k-3f9a: alice, k-77c0: bob}    # key: whose
      header: x-api-key                     # where the key stands
      identity_header: x-consumer           # where the upstream finds whose it is

Without a known key the answer is 401. Neither how keys are looked for nor how they are compared
tells by its time how much of a key was right.
"""

from cpython.pycapsule cimport PyCapsule_New
from libc.stdint cimport uint8_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy

from meshcore.abi cimport (
    MESHCORE_ABI_MAJOR,
    MESHCORE_ANSWERED,
    MESHCORE_CONTINUE,
    MESHCORE_FILTER_CAPSULE,
    mc_filter,
    mc_host,
    mc_str,
    mc_text,
)
from meshcore_sample_hooks.reading cimport (
    Json, ended, equals, next_item, opened, read_pair, read_string, took
)

cdef extern from "sys/random.h" nogil:
    ssize_t getrandom(void *buffer, size_t length, unsigned int flags)

cdef struct Entry:
    mc_str key              # ptr is NULL where there is none
    mc_str owner


# Constant once it is made: workers need no lock.
cdef struct Keys:
    uint8_t *strings
    Entry *entries          # a hash table with linear probing, at most half full
    size_t mask             # their number, a power of two, less one
    uint64_t seed[2]
    mc_str header
    mc_str identity_header
    int accepted
    int missing
    int refused


cdef inline uint64_t rotated(uint64_t x, int by) noexcept nogil:
    return x << by | x >> (64 - by)


cdef inline void sip_round(uint64_t *v) noexcept nogil:
    v[0] += v[1]; v[1] = rotated(v[1], 13) ^ v[0]; v[0] = rotated(v[0], 32)
    v[2] += v[3]; v[3] = rotated(v[3], 16) ^ v[2]
    v[0] += v[3]; v[3] = rotated(v[3], 21) ^ v[0]
    v[2] += v[1]; v[1] = rotated(v[1], 17) ^ v[2]; v[2] = rotated(v[2], 32)


cdef uint64_t hashed(const uint64_t *seed, mc_str text) noexcept nogil:
    """SipHash-1-3: without the seed nobody knows which keys meet."""
    cdef uint64_t v[4]
    cdef uint64_t word = 0
    cdef size_t i = 0
    v[0] = seed[0] ^ <uint64_t>0x736f6d6570736575
    v[1] = seed[1] ^ <uint64_t>0x646f72616e646f6d
    v[2] = seed[0] ^ <uint64_t>0x6c7967656e657261
    v[3] = seed[1] ^ <uint64_t>0x7465646279746573
    while i + 8 <= text.len:
        memcpy(&word, text.ptr + i, 8)
        v[3] ^= word
        sip_round(v)
        v[0] ^= word
        i += 8
    word = <uint64_t>text.len << 56
    while i < text.len:
        word |= <uint64_t>text.ptr[i] << 8 * (i & 7)
        i += 1
    v[3] ^= word
    sip_round(v)
    v[0] ^= word
    v[2] ^= 0xff
    sip_round(v)
    sip_round(v)
    sip_round(v)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


cdef inline bint same(mc_str one, mc_str other) noexcept nogil:
    """Looks at all of them, however early they differ."""
    cdef uint8_t differ = 0
    cdef size_t i
    if one.len != other.len:
        return False
    for i in range(one.len):
        differ |= one.ptr[i] ^ other.ptr[i]
    return differ == 0


cdef Entry *entry_of(const Keys *keys, mc_str key) noexcept nogil:
    """The key's place, or the free one where it would stand."""
    cdef size_t at = hashed(keys.seed, key) & keys.mask
    while keys.entries[at].key.ptr != NULL and not same(keys.entries[at].key, key):
        at = (at + 1) & keys.mask
    return &keys.entries[at]


cdef const char *read_keys(Json *json, Keys *keys) noexcept nogil:
    """Fills the table; returns what is wrong, or NULL."""
    cdef mc_str key, owner
    cdef Entry *entry
    cdef bint first = True
    if not took(json, c'{'):
        return b"keys: must be a mapping of keys to their owners"
    while next_item(json, &first):
        if not read_pair(json, &key, &owner):
            return b"keys: every key and every owner must be a string (hint: quote numbers)"
        if key.len == 0 or owner.len == 0:
            return b"keys: neither a key nor an owner may be empty"
        entry = entry_of(keys, key)
        entry.key = key
        entry.owner = owner
    return NULL


cdef const char *read_config(Json *json, Keys *keys) noexcept nogil:
    cdef mc_str name
    cdef bint first = True, found = False
    cdef const char *wrong
    if not took(json, c'{'):
        return b"config: must be a mapping with keys"
    while next_item(json, &first):
        if not (read_string(json, &name) and took(json, c':')):
            return b"config: not valid"
        if equals(name, b"keys"):
            found = True
            wrong = read_keys(json, keys)
            if wrong != NULL:
                return wrong
        elif equals(name, b"header"):
            if not read_string(json, &keys.header) or keys.header.len == 0:
                return b"header: must be the name of a header"
        elif equals(name, b"identity_header"):
            if not read_string(json, &keys.identity_header) or keys.identity_header.len == 0:
                return b"identity_header: must be the name of a header"
        else:
            return b"config: has a key that is none of keys, header, identity_header"
    if not (found and ended(json)):
        return b"config: must be a mapping with keys"
    return NULL


cdef void destroy(void *state) noexcept nogil:
    cdef Keys *keys = <Keys *>state
    free(keys.entries)
    free(keys.strings)
    free(keys)


cdef int create(const mc_host *host, mc_str config, void **state, mc_str *error) noexcept nogil:
    cdef Keys *keys
    cdef Json json
    cdef const char *wrong = b"no memory"
    cdef size_t slots = 16
    if host.struct_size < sizeof(mc_host):
        error[0] = mc_text(b"it was built for a newer meshcore")
        return 1
    keys = <Keys *>calloc(1, sizeof(Keys))
    if keys == NULL:
        return 1
    # The shortest entry of a mapping, "k":"o", takes seven bytes: the table is never more than half full.
    while slots < config.len // 3:
        slots *= 2
    keys.mask = slots - 1
    keys.entries = <Entry *>calloc(slots, sizeof(Entry))
    keys.strings = <uint8_t *>malloc(config.len + 1)
    keys.header = mc_text(b"x-api-key")
    keys.identity_header = mc_text(b"x-consumer")
    keys.accepted = host.define_counter(mc_text(b"accepted"))
    keys.missing = host.define_counter(mc_text(b"missing"))
    keys.refused = host.define_counter(mc_text(b"refused"))
    if getrandom(keys.seed, sizeof(keys.seed), 0) != sizeof(keys.seed):
        wrong = b"the system gives no random bytes"
    elif keys.entries != NULL and keys.strings != NULL:
        json = opened(config, keys.strings)
        wrong = read_config(&json, keys)
    if wrong != NULL:
        error[0] = mc_text(wrong)
        destroy(keys)
        return 1
    state[0] = keys
    return 0


cdef int refuse(const mc_host *host, void *req) noexcept nogil:
    if (
        host.respond(req, 401, mc_text(b'{"error": "no valid API key"}\n')) < 0
        or host.set_header(req, mc_text(b"content-type"), mc_text(b"application/json")) < 0
        or host.set_header(req, mc_text(b"www-authenticate"), mc_text(b"ApiKey")) < 0
    ):
        return 401
    return MESHCORE_ANSWERED


cdef int on_request(const mc_host *host, void *req, void *state) noexcept nogil:
    cdef const Keys *keys = <const Keys *>state
    cdef mc_str key
    cdef const Entry *entry
    if host.get_header(req, keys.header, &key) != 1 or key.len == 0:
        host.add_counter(req, keys.missing, 1)
        return refuse(host, req)
    entry = entry_of(keys, key)
    if entry.key.ptr == NULL:
        host.add_counter(req, keys.refused, 1)
        return refuse(host, req)
    host.add_counter(req, keys.accepted, 1)
    # Later hooks read whose key it is; the upstream gets it instead of the key. What is refused
    # here would let a request through as somebody else's: a negative code is a fault.
    if (
        host.set_metadata(req, mc_text(b"consumer"), entry.owner) < 0
        or host.set_header(req, keys.identity_header, entry.owner) < 0
        or host.remove_header(req, keys.header) < 0
    ):
        return -1
    return MESHCORE_CONTINUE


cdef mc_filter table
table.abi = MESHCORE_ABI_MAJOR
table.struct_size = sizeof(mc_filter)
table.name = b"api_key"
table.create = create
table.destroy = destroy
table.on_request = on_request


def load():
    """The entry point `api_key` of the group meshcore.filters."""
    return PyCapsule_New(&table, MESHCORE_FILTER_CAPSULE, NULL)
