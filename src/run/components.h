/* components.h - how a mixture's components fare: each alone, and whether there are as many as it seems. */
#ifndef ELB_COMPONENTS_H
#define ELB_COMPONENTS_H

#include "run/json.h"
#include "run/vae.h"

typedef struct elb_components {
    int64_t order;
    double elbo[ELB_MIXTURE_MAX];        /* of each component alone, nats */
    double kl[ELB_MIXTURE_MAX];          /* KL(q_m || the mixture of those before it), nats; 0 for the first */
    double least_kl, median_kl, most_kl; /* the log ratios of all data and later components; NaN for one component */
    double weights;                      /* exp(H(mean over the data of a)): how many weights count, 1..M */
    double distinct;                     /* exp(mean I(z;m|x)): how many components are apart, 1..M */
} elb_components;

/* By one sample of each component for the first 500 data. q must be a mixture. Errors: ELB_NUMERIC, ELB_MEMORY. */
elb_status elb_components_measure(const elb_vae *vae, const elb_dataset *data, elb_components *c);
json_t *elb_components_json(const elb_components *c);

/* What may be wrong with them, most important first; bits of what was told before. */
enum { ELB_COMPONENT_RAN_AWAY = 1, ELB_COMPONENTS_CLIPPED = 2, ELB_WEIGHTS_COLLAPSED = 4, ELB_COMPONENTS_ALIKE = 8 };
enum { ELB_COMPONENTS_TEXT = 512 };
/* The first of these that is so and was not told: its bit, with a sentence in `text`; 0 for none. `ripe`: training has
 * come so far that a component which started afresh can be judged. */
int64_t elb_components_warn(const elb_components *c, const elb_config *config, bool ripe, int64_t told,
                            char text[ELB_COMPONENTS_TEXT]);

#endif
