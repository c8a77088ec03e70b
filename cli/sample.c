/* sample.c - elbow sample. */
#include <stdlib.h>

#include "picture.h"
#include "verbs.h"

typedef struct sample_options {
    cli_picture picture;
} sample_options;

static const cli_option sample_table[] = {
    CLI_PICTURE_OPTIONS(sample_options, "100"),
    {.name = NULL},
};

static elb_status sample_run(cli *c, const void *values)
{
    const sample_options *o = values;
    elb_vae *vae;
    CLI_TRY(elb_vae_open(c->context, c->arguments[0], &vae));
    elb_picture_settings settings = {0};
    char *made = NULL;
    elb_status status = cli_picture_settings(c, &o->picture, "samples.png", elb_vae_config(vae), &settings, &made);
    if (status == ELB_OK) status = elb_sample_images(vae, &settings);
    if (status == ELB_OK) status = cli_picture_tell(c, &settings);
    free(made);
    elb_vae_destroy(vae);
    return status;
}

const cli_verb verb_sample = {
    .name = "sample",
    .summary = "draw new data from a trained model",
    .arguments = "RUN",
    .details = "Draws z from the prior and decodes it: a grid of images, a scatter plot of pairs of numbers, or a heat "
               "map of any other table (a row per datum, 240 at most), as PNG, and the numbers (x, z) as a table on "
               "request. RUN is a run's folder or a model.safetensors file.",
    .examples = "elbow sample run\n"
                "elbow sample run --count 1000 --table samples.npz --draw --seed 7",
    .options = sample_table,
    .size = sizeof(sample_options),
    .accepts = CLI_WORK | CLI_SEED,
    .least = 1,
    .most = 1,
    .words = CLI_WORDS_FOLDER,
    .run = sample_run,
};
