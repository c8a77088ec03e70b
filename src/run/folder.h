/* folder.h - the files in a folder by the shape of their names. */
#ifndef ELB_FOLDER_H
#define ELB_FOLDER_H

#include "base/base.h"

typedef struct elb_names {
    int64_t count;
    char **at; /* whole paths, sorted by byte */
} elb_names;

/* The paths of what in `folder` has a name that begins with `prefix` and ends with `suffix`; none when there is no such
 * folder. The caller releases them with elb_names_reset, also after a failure. Errors: ELB_FAILURE, ELB_MEMORY. */
elb_status elb_folder_list(elb_context *c, const char *folder, const char *prefix, const char *suffix,
                           elb_names *names);
void elb_names_reset(elb_context *c, elb_names *names);

#endif
