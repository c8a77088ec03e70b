/* fuzz_config.c - arbitrary bytes as a configuration: refused without a trace, or written and read back the same. */
#include <stdint.h>
#include <string.h>

#include "run/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_round_trip(elb_context *c, const elb_config *config)
{
    char *yaml = NULL;
    elb_config *copy = NULL;
    if (elb_config_write(config, &yaml) != ELB_OK || elb_config_create(c, &copy) != ELB_OK) __builtin_trap();
    if (elb_config_parse(copy, "written", yaml, (int64_t)strlen(yaml)) != ELB_OK) __builtin_trap();
    memcpy(copy->sections, config->sections, sizeof copy->sections); /* they point into each */
    if (memcmp(copy, config, sizeof *copy) != 0) __builtin_trap();
    elb_text_free(c, yaml);
    elb_config_destroy(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    elb_context *c = NULL;
    elb_config *config = NULL;
    elb_settings settings = {.threads = 1};
    if (elb_context_create(&settings, &c) != ELB_OK) return 0;
    if (elb_config_create(c, &config) == ELB_OK) {
        elb_config before = *config;
        if (elb_config_parse(config, "fuzz", (const char *)data, (int64_t)size) == ELB_OK)
            fuzz_round_trip(c, config);
        else if (memcmp(config, &before, sizeof before) != 0)
            __builtin_trap();
    }
    elb_config_destroy(config);
    elb_context_destroy(c);
    return 0;
}
