/* fuzz_map.c - arbitrary bytes as a convert map: refused with a sentence, or taken, and every
 * list in it can be walked. */
#include <stdint.h>
#include <string.h>

#include "exchange/layer.h"
#include "exchange/map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_walk(const char *list)
{
    char word[ELB_TEXT_MAX];
    size_t left = strlen(list);
    while (elb_next_word(&list, word, sizeof word)) {
        if (strlen(word) > left || strchr(word, ',')) __builtin_trap();
        left = strlen(list);
    }
}

static void fuzz_walk_net(const elb_map_net *net)
{
    fuzz_walk(net->layers);
    fuzz_walk(net->gates);
    fuzz_walk(net->batch_norms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    elb_context *c = NULL;
    elb_map *map = NULL;
    elb_settings settings = {.threads = 1};
    if (elb_context_create(&settings, &c) != ELB_OK) return 0;
    elb_status status = elb_map_parse(c, "fuzz", (const char *)data, (int64_t)size, &map);
    if (!map != (status != ELB_OK) || (!map && !*elb_context_message(c))) __builtin_trap();
    if (map) {
        fuzz_walk_net(&map->encoder);
        fuzz_walk_net(&map->decoder);
        if (elb_map_refuse(map, "encoder.mean", "%s", map->encoder.mean) != ELB_USAGE) __builtin_trap();
    }
    elb_map_close(map);
    elb_context_destroy(c);
    return 0;
}
