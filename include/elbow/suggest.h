/* suggest.h - what a mistyped word was probably meant to be. */
#ifndef ELBOW_SUGGEST_H
#define ELBOW_SUGGEST_H

#include <elbow/status.h>

ELB_BEGIN_DECLS

/* The nearest of NULL-terminated `names` to `word` by edit distance, or NULL when none is near enough to suggest. */
ELB_API const char *elb_did_you_mean(const char *word, const char *const *names);

ELB_END_DECLS

#endif
