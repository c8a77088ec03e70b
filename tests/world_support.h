/* world_support.h - a whole VAE with its data and a folder, for tests of what is done with trained models.
 * Every function here fails the running cmocka test when it cannot do its work. */
#ifndef ELB_TEST_WORLD_SUPPORT_H
#define ELB_TEST_WORLD_SUPPORT_H

#include "support.h"

#include "run/vae.h"

typedef struct world {
    elb_context *c;
    elb_config *config;
    elb_dataset *data;
    elb_vae *vae;
    char *folder; /* empty */
} world;

/* n data of grey noise in [0,1] of that shape, "grey noise" by name, datum i with the label i modulo 10; a VAE as it
 * begins. settings: see support_configure. */
world world_make(elb_context *c, int64_t n, int rank, const int64_t *shape, const char *settings);
/* The same with other data, which are taken over. */
world world_of(elb_context *c, elb_dataset *data, const char *settings);
/* The context stays: it is the test's. */
void world_end(world *w);

#endif
