# cython: language_level=3, freethreading_compatible=True
"""The filter `header_rewrite`: changes the fields of requests and answers by rules, one by one.

    config:
      request:
        - {set: x-env, to: prod}                                  # this value alone
        - {remove: x-debug}
      response:
        - {replace: location, from: "http://", to: "https://"}    # where its value begins so
        - {add: vary, to: origin}                                 # this value too
"""

from cpython.pycapsule cimport PyCapsule_New
from libc.stdint cimport uint8_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcmp, memcpy

from meshcore.abi cimport (
    MESHCORE_ABI_MAJOR,
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

cdef enum Operation:
    NOTHING = 0
    SET
    ADD
    REMOVE
    REPLACE


cdef struct Rule:
    Operation operation
    mc_str name
    mc_str prefix
    mc_str value
    bint has_prefix
    bint has_value


# Constant once it is made: workers need no lock.
cdef struct Rules:
    uint8_t *strings
    Rule *request
    size_t requests
    Rule *response
    size_t responses


cdef bint read_rule(Json *json, Rule *rule) noexcept nogil:
    cdef mc_str key, value
    cdef bint first = True
    cdef Operation operation
    if not took(json, c'{'):
        return False
    while next_item(json, &first):
        if not read_pair(json, &key, &value):
            return False
        if equals(key, b"to"):
            rule.value = value
            rule.has_value = True
            continue
        if equals(key, b"from"):
            rule.prefix = value
            rule.has_prefix = True
            continue
        if equals(key, b"set"):
            operation = SET
        elif equals(key, b"add"):
            operation = ADD
        elif equals(key, b"remove"):
            operation = REMOVE
        elif equals(key, b"replace"):
            operation = REPLACE
        else:
            return False
        if rule.operation != NOTHING or value.len == 0:
            return False
        rule.operation = operation
        rule.name = value
    return (
        rule.operation != NOTHING
        and rule.has_prefix == (rule.operation == REPLACE)
        and rule.has_value == (rule.operation != REMOVE)
    )


cdef bint read_rules(Json *json, Rule *rules, size_t *count) noexcept nogil:
    cdef bint first = True
    if not took(json, c'['):
        return False
    while next_item(json, &first):
        if not read_rule(json, rules + count[0]):
            return False
        count[0] += 1
    return True


cdef const char *read_config(Json *json, Rules *rules) noexcept nogil:
    """What is wrong, or NULL."""
    cdef mc_str name
    cdef bint first = True
    if not took(json, c'{'):
        return b"config: must be a mapping with request or response"
    while next_item(json, &first):
        if not (read_string(json, &name) and took(json, c':')):
            return b"config: not valid"
        if equals(name, b"request") and rules.requests == 0:
            if not read_rules(json, rules.request, &rules.requests):
                return b"request: a rule is set, add, remove or replace with a name; to; replace: from"
        elif equals(name, b"response") and rules.responses == 0:
            if not read_rules(json, rules.response, &rules.responses):
                return b"response: a rule is set, add, remove or replace with a name; to; replace: from"
        else:
            return b"config: has a key that is neither request nor response"
    if not ended(json):
        return b"config: not valid"
    return NULL


cdef void destroy(void *state) noexcept nogil:
    cdef Rules *rules = <Rules *>state
    free(rules.request)
    free(rules.response)
    free(rules.strings)
    free(rules)


cdef int create(const mc_host *host, mc_str config, void **state, mc_str *error) noexcept nogil:
    cdef Rules *rules
    cdef Json json
    cdef const char *wrong = b"no memory"
    # The shortest rule, {"add":"x"}, takes eleven bytes.
    cdef size_t most = config.len // 8 + 1
    if host.struct_size < sizeof(mc_host):
        error[0] = mc_text(b"it was built for a newer meshcore")
        return 1
    rules = <Rules *>calloc(1, sizeof(Rules))
    if rules == NULL:
        return 1
    rules.strings = <uint8_t *>malloc(config.len + 1)
    rules.request = <Rule *>calloc(most, sizeof(Rule))
    rules.response = <Rule *>calloc(most, sizeof(Rule))
    if rules.strings != NULL and rules.request != NULL and rules.response != NULL:
        json = opened(config, rules.strings)
        wrong = read_config(&json, rules)
    if wrong != NULL:
        error[0] = mc_text(wrong)
        destroy(rules)
        return 1
    state[0] = rules
    return 0


cdef int replace(const mc_host *host, void *req, const Rule *rule) noexcept nogil:
    cdef mc_str value, changed
    cdef uint8_t *memory
    cdef int done
    if host.get_header(req, rule.name, &value) != 1 or value.len < rule.prefix.len:
        return 0
    if rule.prefix.len > 0 and memcmp(value.ptr, rule.prefix.ptr, rule.prefix.len) != 0:
        return 0
    changed.len = rule.value.len + value.len - rule.prefix.len
    memory = <uint8_t *>malloc(changed.len + 1)
    if memory == NULL:
        return -1
    memcpy(memory, rule.value.ptr, rule.value.len)
    memcpy(
        memory + rule.value.len, value.ptr + rule.prefix.len, value.len - rule.prefix.len
    )
    changed.ptr = memory
    done = host.set_header(req, rule.name, changed)
    free(memory)            # the engine has copied it
    return done


cdef int apply(const mc_host *host, void *req, const Rule *rules, size_t count) noexcept nogil:
    cdef size_t i
    cdef int done
    for i in range(count):
        if rules[i].operation == SET:
            done = host.set_header(req, rules[i].name, rules[i].value)
        elif rules[i].operation == ADD:
            done = host.add_header(req, rules[i].name, rules[i].value)
        elif rules[i].operation == REMOVE:
            done = host.remove_header(req, rules[i].name)
        else:
            done = replace(host, req, &rules[i])
        if done < 0:
            return done     # a fault: the hook's on_error says what becomes of the request
    return MESHCORE_CONTINUE


cdef int on_request(const mc_host *host, void *req, void *state) noexcept nogil:
    cdef const Rules *rules = <const Rules *>state
    return apply(host, req, rules.request, rules.requests)


cdef int on_response(const mc_host *host, void *req, void *state) noexcept nogil:
    cdef const Rules *rules = <const Rules *>state
    return apply(host, req, rules.response, rules.responses)


cdef mc_filter table
table.abi = MESHCORE_ABI_MAJOR
table.struct_size = sizeof(mc_filter)
table.name = b"header_rewrite"
table.create = create
table.destroy = destroy
table.on_request = on_request
table.on_response = on_response


def load():
    """The entry point `header_rewrite` of the group meshcore.filters."""
    return PyCapsule_New(&table, MESHCORE_FILTER_CAPSULE, NULL)
