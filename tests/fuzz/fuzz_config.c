/* fuzz_config.c - arbitrary bytes as a configuration: refused without a trace, or written and read back the same. */
#include <stdint.h>
#include <string.h>

#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *fuzz_write(const elb_config *config)
{
    char *yaml = NULL;
    if (elb_config_write(config, &yaml) != ELB_OK) __builtin_trap();
    return yaml;
}

static void fuzz_round_trip(elb_context *c, const elb_config *config)
{
    elb_config *copy = NULL;
    char *yaml = fuzz_write(config);
    if (elb_config_create(c, &copy) != ELB_OK) __builtin_trap();
    if (elb_config_parse(copy, "written", yaml, (int64_t)strlen(yaml)) != ELB_OK) __builtin_trap();
    char *again = fuzz_write(copy);
    if (strcmp(yaml, again) != 0) __builtin_trap();
    elb_text_free(c, yaml);
    elb_text_free(c, again);
    elb_config_destroy(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    elb_context *c = NULL;
    elb_config *config = NULL;
    elb_settings settings = {.threads = 1};
    if (elb_context_create(&settings, &c) != ELB_OK) return 0;
    if (elb_config_create(c, &config) != ELB_OK) __builtin_trap();
    char *before = fuzz_write(config);
    elb_status status = elb_config_parse(config, "fuzz", (const char *)data, (int64_t)size);
    char *after = fuzz_write(config);
    if (status != ELB_OK && strcmp(before, after) != 0) __builtin_trap();
    if (status == ELB_OK) fuzz_round_trip(c, config);
    elb_text_free(c, before);
    elb_text_free(c, after);
    elb_config_destroy(config);
    elb_context_destroy(c);
    return 0;
}
