/* picture.c - where a picture goes. */
#include "picture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static elb_status picture_default(cli *c, const char *name, char **path)
{
    const char *run = c->arguments[0];
    if (!cli_is_folder(run))
        return cli_fail(
            c, ELB_USAGE,
            "'%s' is no run's folder to put a picture into: say where with --out FILE.png or --table FILE.npz", run);
    char *folder;
    CLI_TRY(cli_path(c, run, "images", &folder));
    elb_status status = ELB_OK;
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        status = cli_fail(c, ELB_FAILURE, "the folder '%s' could not be made: %s", folder, strerror(errno));
    if (status == ELB_OK) status = cli_path(c, folder, name, path);
    free(folder);
    return status;
}

elb_status cli_picture_settings(cli *c, const cli_picture *picture, const char *name, const elb_config *config,
                                elb_picture_settings *settings, char **made)
{
    *made = NULL;
    settings->png = picture->out;
    settings->table = picture->table;
    settings->count = picture->count;
    settings->draw = picture->draw;
    CLI_TRY(cli_seed(c, config, &settings->seed));
    if (picture->out || picture->table) return ELB_OK;
    CLI_TRY(picture_default(c, name, made));
    settings->png = *made;
    return ELB_OK;
}

elb_status cli_picture_tell(cli *c, const elb_picture_settings *s)
{
    if (!c->common.json) {
        if (s->png) cli_row("picture", "%s", s->png);
        if (s->table) cli_row("table", "%s", s->table);
        return ELB_OK;
    }
    json_t *o = json_object();
    json_object_set_new(o, "count", json_integer(s->count));
    json_object_set_new(o, "picture", s->png ? json_string(s->png) : json_null());
    json_object_set_new(o, "table", s->table ? json_string(s->table) : json_null());
    json_object_set_new(o, "seed", json_integer((json_int_t)s->seed));
    return cli_print_json(c, o, JSON_INDENT(2));
}
