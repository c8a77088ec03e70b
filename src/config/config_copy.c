#include <stdio.h>
#include <string.h>

#include "config/config.h"

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

/* Of option `o` of section `s`; `key` becomes its name. open: auto is as good as any value. */
static bool config_option_differs(const elb_config *a, const elb_config *b, const elb_section *s, const elb_option *o,
                                  bool open, char key[ELB_KEY_TEXT])
{
    char left[ELB_TEXT_MAX], right[ELB_TEXT_MAX];
    snprintf(key, ELB_KEY_TEXT, "%s%s%s", s->name, s->name[0] != 0 ? "." : "", o->name);
    elb_config_get(a, key, left, sizeof left);
    elb_config_get(b, key, right, sizeof right);
    if (open && (strcmp(left, "auto") == 0 || strcmp(right, "auto") == 0)) return false;
    return strcmp(left, right) != 0;
}

bool elb_config_differs(const elb_config *a, const elb_config *b, const char *except, char key[ELB_KEY_TEXT])
{
    for (const elb_section *s = a->sections; s->options != NULL; s++)
        for (const elb_option *o = s->options; o->name != NULL && strcmp(s->name, except) != 0; o++)
            if (config_option_differs(a, b, s, o, false, key)) return true;
    return false;
}

bool elb_config_disagrees(const elb_config *a, const elb_config *b, const char *section, char key[ELB_KEY_TEXT])
{
    for (const elb_section *s = a->sections; s->options != NULL; s++) {
        bool asked = section != NULL ? strcmp(s->name, section) == 0 : s->name[0] != 0;
        for (const elb_option *o = s->options; o->name != NULL && asked; o++)
            if (config_option_differs(a, b, s, o, true, key)) return true;
    }
    return false;
}
