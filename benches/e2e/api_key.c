/* Two native hooks for the benches, in one library: with the configuration "" one that does nothing,
 * else one that lets pass who has that configuration as its x-api-key. */

#include <stdlib.h>
#include <string.h>

#include "meshcore_abi.h"

struct key {
    size_t len;
    char text[];
};

static int create(const mc_host *host, mc_str config, void **state, mc_str *error)
{
    (void)host;
    (void)error;
    if (config.len == 0)
        return 0;
    struct key *key = malloc(sizeof *key + config.len);
    if (key == NULL)
        return 1;
    key->len = config.len;
    memcpy(key->text, config.ptr, config.len);
    *state = key;
    return 0;
}

/* Takes as long whatever the key is, and wherever it differs. */
static int equal(const struct key *key, mc_str value)
{
    unsigned char differs = value.len != key->len;
    for (size_t at = 0; at < value.len && at < key->len; at++)
        differs |= (unsigned char)key->text[at] ^ value.ptr[at];
    return differs == 0;
}

static int on_request(const mc_host *host, void *req, void *state)
{
    static const mc_str name = {(const uint8_t *)"x-api-key", 9};
    const struct key *key = state;
    mc_str value;
    if (key == NULL)
        return MESHCORE_CONTINUE;
    if (host->get_header(req, name, &value) != 1)
        return 401;
    return equal(key, value) ? MESHCORE_CONTINUE : 403;
}

static void destroy(void *state)
{
    free(state);
}

static const mc_filter filter = {
    .abi = MESHCORE_ABI_MAJOR,
    .struct_size = sizeof(mc_filter),
    .name = "api-key",
    .on_request = on_request,
    .create = create,
    .destroy = destroy,
};

const mc_filter *meshcore_filter_v1(void)
{
    return &filter;
}
