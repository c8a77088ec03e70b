/* source.c - opens the data that a trained model is shown. */
#include "source.h"

#include <string.h>

const char *const cli_parts[] = {"train", "validation", "test", "all", NULL};

static elb_status source_set(void *vae, const char *key, const char *value)
{
    return elb_vae_set(vae, key, value);
}

elb_status cli_set_source(cli *c, elb_vae *vae, const cli_source *source)
{
    return cli_set_keys(c, &source->set, source_set, vae);
}

/* The test part where there is one. Otherwise all of the data, which must not pass unnoticed. */
static elb_status source_open_test(cli *c, const elb_config *config, elb_dataset **dataset)
{
    elb_status status = elb_config_open_data(config, NULL, ELB_PART_TEST, dataset);
    if (status != ELB_USAGE) return status;
    CLI_TRY(elb_config_open_data(config, NULL, ELB_PART_ALL, dataset));
    cli_note(c, "note: there is no test part, so all of the data are used, those of the training among them; --part "
                "train or validation chooses, data.test holds some out when training");
    return ELB_OK;
}

elb_status cli_describe_data(cli *c, elb_vae *vae, const cli_source *source, bool *foreign)
{
    char own[1024];
    CLI_TRY(elb_config_get(elb_vae_config(vae), "data.spec", own, sizeof own));
    *foreign = source->data && strcmp(source->data, own) != 0;
    if (source->data) CLI_TRY(elb_vae_set(vae, "data.spec", source->data));
    return cli_set_source(c, vae, source);
}

elb_status cli_open_data(cli *c, elb_vae *vae, const cli_source *source, bool *foreign, elb_dataset **dataset)
{
    const elb_config *config = elb_vae_config(vae);
    CLI_TRY(cli_describe_data(c, vae, source, foreign));
    if (source->part != CLI_UNSET) return elb_config_open_data(config, NULL, (elb_part)source->part, dataset);
    return *foreign ? elb_config_open_data(config, NULL, ELB_PART_ALL, dataset) : source_open_test(c, config, dataset);
}
