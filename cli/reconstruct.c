/* reconstruct.c - elbow reconstruct. */
#include <stdlib.h>

#include "picture.h"
#include "source.h"
#include "verbs.h"

typedef struct reconstruct_options {
    cli_source source;
    cli_picture picture;
    bool mean;
} reconstruct_options;

static const cli_option reconstruct_table[] = {
    CLI_SOURCE_OPTIONS(reconstruct_options),
    CLI_PICTURE_OPTIONS(reconstruct_options, "40"),
    {.name = "mean",
     .kind = CLI_FLAG,
     .offset = offsetof(reconstruct_options, mean),
     .help = "Decode the mean of q(z|x) instead of a draw from it."},
    {.name = NULL},
};

static elb_status reconstruct_data(cli *c, const reconstruct_options *o, elb_vae *vae, const elb_dataset *dataset)
{
    elb_picture_settings settings = {.mean_latent = o->mean};
    char *made = NULL;
    elb_status status =
        cli_picture_settings(c, &o->picture, "reconstructions.png", elb_vae_config(vae), &settings, &made);
    int64_t n = elb_dataset_count(dataset);
    if (settings.count > n) cli_note(c, "note: there are only %lld data", (long long)n);
    if (settings.count > n) settings.count = n;
    if (status == ELB_OK) status = elb_reconstruct_images(vae, dataset, &settings);
    if (status == ELB_OK) status = cli_picture_tell(c, &settings);
    free(made);
    return status;
}

static elb_status reconstruct_run(cli *c, const void *values)
{
    const reconstruct_options *o = values;
    elb_vae *vae;
    elb_dataset *dataset = NULL;
    bool foreign;
    CLI_TRY(elb_vae_open(c->context, c->arguments[0], &vae));
    elb_status status = cli_open_data(c, vae, &o->source, &foreign, &dataset);
    if (status == ELB_OK) status = reconstruct_data(c, o, vae, dataset);
    elb_dataset_destroy(dataset);
    elb_vae_destroy(vae);
    return status;
}

const cli_verb verb_reconstruct = {
    .name = "reconstruct",
    .summary = "encode data and decode them again",
    .arguments = "RUN",
    .details = "Shows the first data and their reconstructions as PNG (images above one another, pairs of numbers as "
               "points, grey and in colour, other tables as heat maps side by side, 240 rows at most), and writes the "
               "numbers (x, reconstruction, z, mean, log_variance, squared error) as a table on request. RUN is a "
               "run's folder or a model.safetensors file.",
    .examples = "elbow reconstruct run\n"
                "elbow reconstruct run --data other.npy --count 10 --out other.png --table other.npz",
    .options = reconstruct_table,
    .size = sizeof(reconstruct_options),
    .accepts = CLI_WORK | CLI_SEED,
    .least = 1,
    .most = 1,
    .words = CLI_WORDS_FOLDER,
    .run = reconstruct_run,
};
