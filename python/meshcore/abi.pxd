# Cython's mirror of include/meshcore_abi.h, which explains everything. No function of it needs the
# interpreter, and a callback is written `noexcept nogil`: without that Cython asks for an exception
# after each call, which takes the GIL on a worker of the engine.

from libc.stdint cimport uint8_t, uint32_t, uint64_t


cdef extern from "meshcore_abi.h" nogil:
    enum:
        MESHCORE_ABI_MAJOR
        MESHCORE_ABI_MINOR
        MESHCORE_CONTINUE
        MESHCORE_ANSWERED
        MESHCORE_PAUSE
        MESHCORE_REFUSED_PHASE
        MESHCORE_REFUSED_INVALID
        MESHCORE_REFUSED_FULL
        MESHCORE_REFUSED_UNKNOWN
        MESHCORE_REFUSED_FAILED
        MESHCORE_EDITS_REQUEST_BODY
        MESHCORE_EDITS_RESPONSE_BODY
        MESHCORE_LOG_ERROR
        MESHCORE_LOG_WARNING
        MESHCORE_LOG_INFO
        MESHCORE_LOG_DEBUG

    const char *MESHCORE_FILTER_CAPSULE

    ctypedef struct mc_str:
        const uint8_t *ptr
        size_t len

    ctypedef struct mc_host:
        uint32_t abi
        uint32_t struct_size
        # 1.0
        int (*get_header)(void *req, mc_str name, mc_str *value) noexcept nogil
        int (*set_header)(void *req, mc_str name, mc_str value) noexcept nogil
        # 1.1
        int (*add_header)(void *req, mc_str name, mc_str value) noexcept nogil
        int (*remove_header)(void *req, mc_str name) noexcept nogil
        int (*header_at)(void *req, size_t index, mc_str *name, mc_str *value) noexcept nogil
        int (*get_method)(void *req, mc_str *value) noexcept nogil
        int (*get_path)(void *req, mc_str *value) noexcept nogil
        int (*get_query)(void *req, mc_str *value) noexcept nogil
        int (*get_authority)(void *req, mc_str *value) noexcept nogil
        int (*get_scheme)(void *req, mc_str *value) noexcept nogil
        int (*get_protocol)(void *req, mc_str *value) noexcept nogil
        int (*get_identity)(void *req, mc_str *value) noexcept nogil
        int (*get_source_address)(void *req, mc_str *value) noexcept nogil
        int (*get_source_ip)(void *req, mc_str *value) noexcept nogil
        int (*get_local_address)(void *req, mc_str *value) noexcept nogil
        int (*get_server_name)(void *req, mc_str *value) noexcept nogil
        int (*get_listener)(void *req, mc_str *value) noexcept nogil
        int (*get_route)(void *req, mc_str *value) noexcept nogil
        int (*get_cluster)(void *req, mc_str *value) noexcept nogil
        int (*get_endpoint)(void *req, mc_str *value) noexcept nogil
        int (*get_request_id)(void *req, mc_str *value) noexcept nogil
        int (*set_method)(void *req, mc_str value) noexcept nogil
        int (*set_path)(void *req, mc_str value) noexcept nogil
        int (*get_status)(void *req) noexcept nogil
        int (*route_to)(void *req, mc_str cluster) noexcept nogil
        int (*get_body)(void *req, mc_str *bytes) noexcept nogil
        int (*body_ends)(void *req) noexcept nogil
        int (*set_body)(void *req, mc_str bytes) noexcept nogil
        int (*get_metadata)(void *req, mc_str key, mc_str *value) noexcept nogil
        int (*set_metadata)(void *req, mc_str key, mc_str value) noexcept nogil
        void *(*get_data)(void *req) noexcept nogil
        int (*set_data)(void *req, void *data) noexcept nogil
        int (*respond)(void *req, int status, mc_str body) noexcept nogil
        int (*log)(void *req, int level, mc_str text) noexcept nogil
        int (*define_counter)(mc_str name) noexcept nogil
        int (*add_counter)(void *req, int id, uint64_t n) noexcept nogil
        int (*pause)(void *req, void **token) noexcept nogil
        int (*resume)(void *token, int code) noexcept nogil
        uint64_t (*now)() noexcept nogil

    ctypedef int (*mc_callback)(const mc_host *host, void *req, void *state) noexcept nogil
    ctypedef mc_callback mc_on_request
    ctypedef int (*mc_create)(
        const mc_host *host, mc_str config, void **state, mc_str *error
    ) noexcept nogil
    ctypedef void (*mc_destroy)(void *state) noexcept nogil

    ctypedef struct mc_filter:
        uint32_t abi
        uint32_t struct_size
        # 1.0
        const char *name
        mc_on_request on_request
        void *state
        # 1.1
        uint32_t flags
        uint32_t reserved
        mc_create create
        mc_destroy destroy
        mc_callback on_connection
        mc_callback on_request_body
        mc_callback on_upstream
        mc_callback on_response
        mc_callback on_response_body
        mc_callback on_log

    mc_str mc_text(const char *text)
