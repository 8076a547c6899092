# cython: language_level=3
"""Finds e-mail addresses and card numbers in text that comes in pieces, and puts a mask in their place.

It knows nothing of HTTP. Two machines stand one behind the other; each holds back only what may
still become what it looks for, at most MAIL_HELD and CARD_HELD bytes.
"""

from libc.stdint cimport uint8_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memmove

cdef enum:
    # RFC 5321 §4.5.3.1: 64 octets before the @, 255 behind it. What stands before the @ is masked
    # from where it begins, or from 64 to 128 octets before the @.
    LOCAL_MOST = 64
    DOMAIN_MOST = 255
    MAIL_HELD = 2 * LOCAL_MOST + 1 + DOMAIN_MOST
    # ISO/IEC 7812-1: up to 19 digits; with one space or hyphen between each two of them.
    CARD_LEAST = 13
    CARD_MOST = 19
    CARD_BYTES = 2 * CARD_MOST - 1
    CARD_HELD = 2 * CARD_BYTES + 6
    # A mask's longest text.
    MASK_MOST = 64


cdef struct Mask:
    uint8_t text[MASK_MOST]
    size_t length


cdef struct Out:
    uint8_t *bytes
    size_t length
    size_t room
    bint lost               # there was no memory: nothing of it may be used


cdef struct Mails:
    uint8_t held[MAIL_HELD]
    size_t length
    size_t domain           # where the domain begins in `held`; 0 before there was an @


cdef struct Cards:
    uint8_t held[CARD_HELD]
    size_t length
    bint inside             # the byte before `held` was a digit: no number begins here


cdef struct Masking:
    Mails mails
    Cards cards
    Out between
    Out out
    size_t found


cdef inline void put(Out *out, const uint8_t *bytes, size_t length) noexcept nogil:
    cdef size_t room
    cdef void *grown
    if out.lost or length == 0:
        return
    if out.length + length > out.room:
        room = 2 * (out.length + length)
        grown = realloc(out.bytes, room)
        if grown == NULL:
            out.lost = True
            return
        out.bytes = <uint8_t *>grown
        out.room = room
    memcpy(out.bytes + out.length, bytes, length)
    out.length += length


cdef inline bint is_digit(uint8_t c) noexcept nogil:
    return c'0' <= c <= c'9'


cdef inline bint is_letter(uint8_t c) noexcept nogil:
    return c'a' <= (c | 0x20) <= c'z'


cdef inline bint is_domain(uint8_t c) noexcept nogil:
    return is_letter(c) or is_digit(c) or c == c'.' or c == c'-'


cdef inline bint is_local(uint8_t c) noexcept nogil:
    return is_domain(c) or c == c'_' or c == c'+' or c == c'%'


cdef inline void let_go(Mails *mails, size_t length, Out *out) noexcept nogil:
    """The first so many bytes held are no address."""
    put(out, mails.held, length)
    mails.length -= length
    memmove(mails.held, mails.held + length, mails.length)
    mails.domain = 0


cdef inline bint masked(Mails *mails, Masking *masking, const Mask *mask) noexcept nogil:
    """Masks what is held, if it is an address: a name, an @, and a domain with a dot."""
    cdef size_t end = mails.length, dot
    if mails.domain == 0:
        return False
    while end > mails.domain and not (is_letter(mails.held[end - 1]) or is_digit(mails.held[end - 1])):
        end -= 1            # a sentence's full stop isn't the domain's
    dot = end
    while dot > mails.domain and mails.held[dot - 1] != c'.':
        dot -= 1
    # `dot` is where the last label begins; "package@1.22" has none that a domain could have.
    if dot < mails.domain + 2 or end < dot + 2 or not is_letter(mails.held[dot]):
        return False
    masking.found += 1
    put(&masking.between, mask.text, mask.length)
    put(&masking.between, mails.held + end, mails.length - end)
    mails.length = mails.domain = 0
    return True


cdef inline void mail_byte(Masking *masking, uint8_t c, const Mask *mask) noexcept nogil:
    cdef Mails *mails = &masking.mails
    cdef Out *out = &masking.between
    if mails.domain > 0:
        if is_domain(c) and mails.length - mails.domain < DOMAIN_MOST:
            mails.held[mails.length] = c
            mails.length += 1
            return
        if not masked(mails, masking, mask):
            # What follows the @ may itself stand before another one.
            let_go(mails, mails.domain, out)
            if mails.length > LOCAL_MOST:
                let_go(mails, mails.length - LOCAL_MOST, out)
    if is_local(c):
        if mails.length == 2 * LOCAL_MOST:
            let_go(mails, LOCAL_MOST, out)
        mails.held[mails.length] = c
        mails.length += 1
    elif c == c'@' and mails.length > 0:
        mails.held[mails.length] = c
        mails.length += 1
        mails.domain = mails.length
    else:
        let_go(mails, mails.length, out)
        put(out, &c, 1)


cdef inline void find_mails(
    Masking *masking, const uint8_t *bytes, size_t length, bint ends, const Mask *mask
) noexcept nogil:
    cdef size_t i = 0, begun
    while i < length:
        if masking.mails.length == 0:
            begun = i
            while i < length and not is_local(bytes[i]):
                i += 1
            put(&masking.between, bytes + begun, i - begun)
        if i < length:
            mail_byte(masking, bytes[i], mask)
            i += 1
    if ends and not masked(&masking.mails, masking, mask):
        let_go(&masking.mails, masking.mails.length, &masking.between)


cdef inline bint is_valid(const uint8_t *bytes, size_t length) noexcept nogil:
    """Luhn's check (ISO/IEC 7812-1, annex B) of the digits among them."""
    cdef unsigned int sum = 0, digit
    cdef bint doubled = False
    while length > 0:
        length -= 1
        if is_digit(bytes[length]):
            digit = bytes[length] - c'0'
            if doubled:
                digit = digit * 2 - (9 if digit > 4 else 0)
            sum += digit
            doubled = not doubled
    return sum % 10 == 0


cdef inline size_t card_end(const uint8_t *bytes, size_t length) noexcept nogil:
    """Where the longest card number that begins here ends; 0 where none does."""
    cdef size_t i = 0, digits = 0, end = 0
    # Those of banks, shops and airlines begin so; a time in milliseconds doesn't.
    if not c'2' <= bytes[0] <= c'6':
        return 0
    while i < length and digits <= CARD_MOST:
        if is_digit(bytes[i]):
            digits += 1
            if (
                CARD_LEAST <= digits <= CARD_MOST
                and (i + 1 == length or not is_digit(bytes[i + 1]))
                and is_valid(bytes, i + 1)
            ):
                end = i + 1
        i += 1
    return end


cdef inline void settle(Masking *masking, bint ends, const Mask *mask) noexcept nogil:
    """Masks the numbers held and lets the rest go; but what may still grow, unless it `ends`."""
    cdef Cards *cards = &masking.cards
    cdef size_t i = 0, end
    while i < cards.length:
        if is_digit(cards.held[i]) and not cards.inside:
            if not ends and cards.length - i <= CARD_BYTES:
                break
            end = card_end(cards.held + i, cards.length - i)
            if end > 0:
                masking.found += 1
                put(&masking.out, mask.text, mask.length)
                i += end
                continue
        cards.inside = is_digit(cards.held[i])
        put(&masking.out, cards.held + i, 1)
        i += 1
    cards.length -= i
    memmove(cards.held, cards.held + i, cards.length)


cdef inline void card_byte(Masking *masking, uint8_t c, const Mask *mask) noexcept nogil:
    cdef Cards *cards = &masking.cards
    cdef bint between = (
        (c == c' ' or c == c'-') and cards.length > 0 and is_digit(cards.held[cards.length - 1])
    )
    if is_digit(c) or between:
        if cards.length == CARD_HELD:
            settle(masking, False, mask)
        cards.held[cards.length] = c
        cards.length += 1
    else:
        settle(masking, True, mask)
        cards.inside = False
        put(&masking.out, &c, 1)


cdef inline void find_cards(
    Masking *masking, const uint8_t *bytes, size_t length, bint ends, const Mask *mask
) noexcept nogil:
    cdef size_t i = 0, begun
    while i < length:
        if masking.cards.length == 0:
            begun = i
            while i < length and not is_digit(bytes[i]):
                i += 1
            if i > begun:
                masking.cards.inside = False
                put(&masking.out, bytes + begun, i - begun)
        if i < length:
            card_byte(masking, bytes[i], mask)
            i += 1
    if ends:
        settle(masking, True, mask)


cdef inline bint feed(
    Masking *masking, const uint8_t *bytes, size_t length, bint ends,
    const Mask *mail, const Mask *card
) noexcept nogil:
    """Takes a piece; `masking.out` then has what may go on. False where there was no memory."""
    masking.between.length = masking.out.length = 0
    find_mails(masking, bytes, length, ends, mail)
    find_cards(masking, masking.between.bytes, masking.between.length, ends, card)
    return not (masking.between.lost or masking.out.lost)


cdef inline void release(Masking *masking) noexcept nogil:
    free(masking.between.bytes)
    free(masking.out.bytes)
