# cython: language_level=3
"""Reads a hook's `config`, which comes as JSON, without the interpreter: objects, lists and strings.

Strings are written into memory of the caller's that is as long as the text; no string is longer
than its JSON.
"""

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcmp, strlen

from meshcore.abi cimport mc_str


cdef struct Json:
    const uint8_t *at
    const uint8_t *end
    uint8_t *free           # where the next string goes


cdef inline Json opened(mc_str text, uint8_t *memory) noexcept nogil:
    cdef Json json
    json.at = text.ptr
    json.end = text.ptr + text.len
    json.free = memory
    return json


cdef inline bint took(Json *json, uint8_t c) noexcept nogil:
    """Whether `c` comes next, which it then has passed, and the blanks before it."""
    while json.at < json.end and json.at[0] in (c' ', c'\t', c'\r', c'\n'):
        json.at += 1
    if json.at == json.end or json.at[0] != c:
        return False
    json.at += 1
    return True


cdef inline bint ended(Json *json) noexcept nogil:
    """Whether nothing but blanks is left."""
    return not took(json, 0) and json.at == json.end


cdef inline bint next_item(Json *json, bint *first) noexcept nogil:
    """Whether an item of a list or object comes; `first` is True before the first one.

    It also says so where the text is wrong or ends too soon: then what is read next fails.
    """
    cdef bint begins = first[0]
    first[0] = False
    if not begins and took(json, c','):
        return True
    return not (took(json, c'}') or took(json, c']'))


cdef inline bint read_hex(Json *json, uint32_t *code) noexcept nogil:
    cdef int i
    cdef uint8_t c
    if json.end - json.at < 4:
        return False
    code[0] = 0
    for i in range(4):
        c = json.at[i]
        if c'0' <= c <= c'9':
            code[0] = code[0] * 16 + (c - c'0')
        elif c'a' <= (c | 0x20) <= c'f':
            code[0] = code[0] * 16 + ((c | 0x20) - c'a' + 10)
        else:
            return False
    json.at += 4
    return True


cdef inline void write_utf8(Json *json, uint32_t code) noexcept nogil:
    if code < 0x80:
        json.free[0] = <uint8_t>code
        json.free += 1
    elif code < 0x800:
        json.free[0] = <uint8_t>(0xC0 | code >> 6)
        json.free[1] = <uint8_t>(0x80 | code & 0x3F)
        json.free += 2
    elif code < 0x10000:
        json.free[0] = <uint8_t>(0xE0 | code >> 12)
        json.free[1] = <uint8_t>(0x80 | code >> 6 & 0x3F)
        json.free[2] = <uint8_t>(0x80 | code & 0x3F)
        json.free += 3
    else:
        json.free[0] = <uint8_t>(0xF0 | code >> 18)
        json.free[1] = <uint8_t>(0x80 | code >> 12 & 0x3F)
        json.free[2] = <uint8_t>(0x80 | code >> 6 & 0x3F)
        json.free[3] = <uint8_t>(0x80 | code & 0x3F)
        json.free += 4


cdef inline bint read_escape(Json *json) noexcept nogil:
    """What follows a backslash."""
    cdef uint32_t code, low
    cdef uint8_t c
    if json.at == json.end:
        return False
    c = json.at[0]
    json.at += 1
    if c == c'u':
        if not read_hex(json, &code):
            return False
        if 0xD800 <= code < 0xDC00:
            if json.end - json.at < 6 or json.at[0] != c'\\' or json.at[1] != c'u':
                return False
            json.at += 2
            if not read_hex(json, &low) or not 0xDC00 <= low < 0xE000:
                return False
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
        write_utf8(json, code)
        return True
    if c == c'n':
        c = c'\n'
    elif c == c't':
        c = c'\t'
    elif c == c'r':
        c = c'\r'
    elif c == c'b':
        c = 0x08
    elif c == c'f':
        c = 0x0C
    elif c not in (c'"', c'\\', c'/'):
        return False
    json.free[0] = c
    json.free += 1
    return True


cdef inline bint read_string(Json *json, mc_str *into) noexcept nogil:
    """Whether a string comes, and which."""
    cdef uint8_t c
    into.ptr = json.free
    if not took(json, c'"'):
        return False
    while json.at < json.end:
        c = json.at[0]
        json.at += 1
        if c == c'"':
            into.len = json.free - into.ptr
            return True
        if c == c'\\':
            if not read_escape(json):
                return False
        else:
            json.free[0] = c
            json.free += 1
    return False


cdef inline bint read_pair(Json *json, mc_str *key, mc_str *value) noexcept nogil:
    """Whether a key with a string comes."""
    return read_string(json, key) and took(json, c':') and read_string(json, value)


cdef inline bint equals(mc_str view, const char *text) noexcept nogil:
    return view.len == strlen(text) and memcmp(view.ptr, text, view.len) == 0
