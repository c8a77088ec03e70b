/* output.c - what the command says: results on stdout, all else on stderr. */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"

elb_status cli_fail(cli *c, elb_status status, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(c->message, sizeof c->message, format, list);
    va_end(list);
    return status;
}

static void output_tell(cli *c, const char *before, const char *format, va_list list)
{
    progress_bar_clear(&c->bar);
    fputs(before, stderr);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
}

void cli_note(cli *c, const char *format, ...)
{
    if (c->common.quiet) return;
    va_list list;
    va_start(list, format);
    output_tell(c, "", format, list);
    va_end(list);
}

void cli_hint(cli *c, const char *format, ...)
{
    if (c->common.quiet || c->common.json) return;
    fflush(stdout); /* the result stands above it */
    va_list list;
    va_start(list, format);
    output_tell(c, "Next: ", format, list);
    va_end(list);
}

/* --- results ------------------------------------------------------------------------------------------------------ */

elb_status cli_print_json(cli *c, json_t *object, size_t flags)
{
    char *text = object ? json_dumps(object, flags) : NULL;
    json_decref(object);
    if (!text) return cli_fail(c, ELB_MEMORY, "there is not enough memory for the result as JSON");
    puts(text);
    free(text);
    return ELB_OK;
}

elb_status cli_print_json_file(cli *c, const char *folder, const char *name)
{
    char *path;
    json_error_t error;
    CLI_TRY(cli_path(c, folder, name, &path));
    json_t *object = json_load_file(path, 0, &error);
    elb_status status = object ? cli_print_json(c, object, JSON_INDENT(2))
                               : cli_fail(c, ELB_FAILURE, "could not read '%s' back: %s", path, error.text);
    free(path);
    return status;
}

json_t *cli_real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

void cli_row(const char *name, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    printf("%-20s ", name);
    vprintf(format, list);
    putchar('\n');
    va_end(list);
}

double cli_bits_per_dim(double nats, int64_t size)
{
    return -nats / ((double)size * log(2));
}

/* --- shared by several verbs -------------------------------------------------------------------------------------- */

elb_status cli_set_keys(cli *c, const cli_list *list,
                        elb_status (*set)(void *target, const char *key, const char *value), void *target)
{
    for (int i = 0; i < list->count; i++) {
        const char *equals = strchr(list->at[i], '=');
        if (!equals || equals == list->at[i])
            return cli_fail(c, ELB_USAGE,
                            "--set '%s' has no '=': --set KEY=VALUE is expected, as in --set train.epochs=5",
                            list->at[i]);
        char key[256];
        int length = (int)(equals - list->at[i]);
        if (length >= (int)sizeof key) return cli_fail(c, ELB_USAGE, "--set has a key of %d bytes", length);
        snprintf(key, sizeof key, "%.*s", length, list->at[i]);
        CLI_TRY(set(target, key, equals + 1));
    }
    return ELB_OK;
}

static elb_status output_set(void *config, const char *key, const char *value)
{
    return elb_config_set(config, key, value);
}

elb_status cli_set_config(cli *c, const cli_list *list, elb_config *config)
{
    return cli_set_keys(c, list, output_set, config);
}

int64_t cli_or(int64_t given, int64_t fallback)
{
    return given != CLI_UNSET ? given : fallback;
}

elb_status cli_path(cli *c, const char *folder, const char *name, char **path)
{
    size_t length = strlen(folder), size = length + strlen(name) + 2;
    *path = malloc(size);
    if (!*path) return cli_fail(c, ELB_MEMORY, "there is not enough memory for a file name");
    bool slash = length > 0 && folder[length - 1] == '/';
    snprintf(*path, size, "%s%s%s", folder, slash ? "" : "/", name);
    return ELB_OK;
}

bool cli_is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

bool cli_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

elb_status cli_seed(cli *c, const elb_config *config, uint64_t *seed)
{
    char text[32];
    if (c->common.seed != CLI_UNSET) {
        *seed = (uint64_t)c->common.seed;
        return ELB_OK;
    }
    CLI_TRY(elb_config_get(config, "seed", text, sizeof text));
    *seed = strtoull(text, NULL, 10);
    return ELB_OK;
}
