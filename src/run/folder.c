/* folder.c - the files in a folder by the shape of their names. */
#include "run/folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int folder_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool folder_matches(const char *name, const char *prefix, const char *suffix)
{
    size_t length = strlen(name), head = strlen(prefix), tail = strlen(suffix);
    return length >= head + tail && !strncmp(name, prefix, head) && !strcmp(name + length - tail, suffix);
}

static elb_status folder_add(elb_context *c, const char *folder, const char *name, elb_names *names)
{
    char **more = elb_resize(c, names->at, names->count + 1, sizeof *more);
    if (!more) return ELB_MEMORY;
    names->at = more;
    more[names->count] = elb_format(c, "%s/%s", folder, name);
    if (!more[names->count]) return ELB_MEMORY;
    names->count++;
    return ELB_OK;
}

elb_status elb_folder_list(elb_context *c, const char *folder, const char *prefix, const char *suffix, elb_names *names)
{
    elb_status status = ELB_OK;
    *names = (elb_names){0};
    DIR *d = opendir(folder);
    if (!d && errno == ENOENT) return ELB_OK;
    if (!d) return elb_fail(c, ELB_FAILURE, "could not list the folder '%s': %s", folder, strerror(errno));
    errno = 0;
    for (struct dirent *e; status == ELB_OK && (e = readdir(d)); errno = 0)
        if (folder_matches(e->d_name, prefix, suffix)) status = folder_add(c, folder, e->d_name, names);
    if (status == ELB_OK && errno)
        status = elb_fail(c, ELB_FAILURE, "could not list the folder '%s': %s", folder, strerror(errno));
    closedir(d);
    if (names->count > 1) qsort(names->at, (size_t)names->count, sizeof *names->at, folder_compare);
    return status;
}

void elb_names_reset(elb_context *c, elb_names *names)
{
    for (int64_t i = 0; i < names->count; i++) elb_free(c, names->at[i]);
    elb_free(c, names->at);
    *names = (elb_names){0};
}
