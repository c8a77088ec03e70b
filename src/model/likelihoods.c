#include "model/likelihoods.h"

const elb_likelihood_type *const elb_likelihood_types[] = {
    [ELB_BERNOULLI] = &elb_likelihood_bernoulli,
    [ELB_CONTINUOUS_BERNOULLI] = &elb_likelihood_continuous_bernoulli,
    [ELB_GAUSSIAN] = &elb_likelihood_gaussian,
    NULL,
};

elb_status elb_likelihood_check_present(elb_context *c, const elb_value_range *range)
{
    if (range->missing > 0)
        return elb_fail(c, ELB_DATA, "%lld values are NaN; every value must be present: fill or remove them first",
                        (long long)range->missing);
    if (range->infinite > 0)
        return elb_fail(c, ELB_DATA,
                        "%lld values are infinite; every value must be finite: replace or remove them first",
                        (long long)range->infinite);
    return ELB_OK;
}

elb_status elb_likelihood_check_unit(elb_context *c, const char *name, const elb_value_range *range)
{
    ELB_TRY(elb_likelihood_check_present(c, range));
    if (range->least >= 0 && range->largest <= 1) return ELB_OK;
    return elb_fail(c, ELB_DATA,
                    "the %s likelihood needs values in [0,1], these lie in [%g,%g]; set data.scale to divide them, or "
                    "likelihood.type=gaussian",
                    name, range->least, range->largest);
}
