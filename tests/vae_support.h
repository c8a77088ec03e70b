/* vae_support.h - a small VAE with its data, for tests that need losses and gradients.
 * Every function here fails the running cmocka test when it cannot do its work. */
#ifndef ELB_TEST_VAE_SUPPORT_H
#define ELB_TEST_VAE_SUPPORT_H

#include "support.h"

#include "model/model.h"
#include "objective/objective.h"
#include "posterior/posterior.h"
#include "config/config.h"

enum { SUPPORT_VAE_BLOCKS = 2 };

typedef struct support_vae {
    elb_context *context;
    elb_config *config;
    elb_tape *tape;
    elb_model *model;
    elb_posterior *posterior;
    elb_objective objective;
    int64_t batch;
    elb_real *x;     /* [batch, D], to be filled */
    uint64_t *datum; /* [batch]: 0, 1, ... */
    elb_noise noise; /* key 1; set `fixed` to give the numbers instead */
} support_vae;

/* settings: see support_configure; over the defaults. Parameters are zero; x too. */
support_vae *support_vae_create(elb_context *c, int64_t data, int64_t batch, const char *settings);
void support_vae_destroy(support_vae *v);
/* Decoder's first. */
elb_params *support_vae_block(support_vae *v, int block);
/* Every parameter becomes scale * a number in [-1,1) that depends on its place and `seed`. */
void support_vae_fill(support_vae *v, double scale, uint64_t seed);
/* Data that the likelihood takes: 0 and 1, [0,1], or any number. */
void support_vae_fill_data(support_vae *v, uint64_t seed);
/* The parameter's index in its block; fails the test when there is none. */
int64_t support_vae_find(support_vae *v, const char *name, int *block);

/* Records and runs the objective on the fixture's tape, gradients into the blocks. */
elb_loss support_vae_run(support_vae *v);
double support_vae_loss(support_vae *v);

/* Some page in `folder` (docs/methods) contains `text`; says so when none does. */
void support_page_says(const char *folder, const char *text);
/* The choices of the option `name`, NULL at the end. */
const char *const *support_choices(const elb_option *table, const char *name);

#endif
