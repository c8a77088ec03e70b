#include <stdio.h>
#include <string.h>

#include "run/config.h"

elb_status elb_config_copy(const elb_config *from, elb_config **to)
{
    elb_config *made;
    ELB_TRY(elb_config_create(from->context, &made));
    elb_section own[ELB_SECTION_COUNT + 1]; /* they point into `made` */
    memcpy(own, made->sections, sizeof own);
    *made = *from;
    memcpy(made->sections, own, sizeof own);
    *to = made;
    return ELB_OK;
}

bool elb_config_differs(const elb_config *a, const elb_config *b, const char *except, char key[ELB_KEY_TEXT])
{
    for (const elb_section *s = a->sections; s->options != NULL; s++)
        for (const elb_option *o = s->options; o->name != NULL && strcmp(s->name, except) != 0; o++) {
            char left[ELB_TEXT_MAX], right[ELB_TEXT_MAX];
            snprintf(key, ELB_KEY_TEXT, "%s%s%s", s->name, s->name[0] != 0 ? "." : "", o->name);
            elb_config_get(a, key, left, sizeof left);
            elb_config_get(b, key, right, sizeof right);
            if (strcmp(left, right) != 0) return true;
        }
    return false;
}
