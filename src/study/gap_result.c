/* gap_result.c - what the rows of a set come to. */
#include <math.h>

#include "run/moments.h"
#include "study/gap.h"

#define RESULT_K_HAT_BAD 0.7 /* Vehtari et al. 2024, section 3 */
#define RESULT_AGREE 0.05    /* nats */
#define RESULT_CHANCE 2.0    /* standard errors */

static elb_gap_mean result_mean(const elb_moments *m)
{
    return (elb_gap_mean){.mean = m->count > 0 ? m->mean : NAN, .standard_error = elb_moments_error(m)};
}

static elb_gap_mean result_column(const elb_gap_work *w, elb_gap_part part, elb_gap_column column)
{
    elb_moments m = {0};
    for (int64_t i = 0; i < w->n; i++) elb_moments_add(&m, elb_gap_at(w, part, i, column));
    return result_mean(&m);
}

/* Mean over the data of what one column has more than another. */
static elb_gap_mean result_difference(const elb_gap_work *w, elb_gap_part above, elb_gap_column a, elb_gap_part below,
                                      elb_gap_column b)
{
    elb_moments m = {0};
    for (int64_t i = 0; i < w->n; i++) elb_moments_add(&m, elb_gap_at(w, above, i, a) - elb_gap_at(w, below, i, b));
    return result_mean(&m);
}

static void result_shares(const elb_gap_work *w, elb_gap_part part, elb_gap_result *r)
{
    double n = (double)w->n, bad = 0, converged = 0, agree = 0;
    bool optimum = part != ELB_GAP_ENCODER && part != ELB_GAP_AIS;
    r->seconds[part] = 0;
    for (int64_t i = 0; i < w->n; i++) {
        bad += elb_gap_at(w, part, i, ELB_GAP_K_HAT) > RESULT_K_HAT_BAD;
        converged += elb_gap_at(w, part, i, ELB_GAP_CONVERGED);
        agree += elb_gap_at(w, part, i, ELB_GAP_SPREAD) <= RESULT_AGREE;
        r->seconds[part] += elb_gap_at(w, part, i, ELB_GAP_SECONDS);
    }
    r->k_hat_bad[part] = part == ELB_GAP_AIS ? NAN : bad / n;
    r->converged[part] = optimum ? converged / n : NAN;
    r->agree[part] = optimum ? agree / n : NAN;
}

/* The greatest in the mean: a maximum for every datum would favour whatever is noisiest. For the same reason another
 * bound than that by q* must be greater by more than chance. */
static elb_gap_part result_best(const elb_gap_work *w)
{
    elb_gap_part best = w->own;
    for (elb_gap_part part = 0; part < ELB_GAP_PARTS; part++) {
        elb_gap_mean more = result_difference(w, part, ELB_GAP_BOUND, best, ELB_GAP_BOUND);
        if (more.mean > 0 && !(more.mean <= RESULT_CHANCE * more.standard_error)) best = part;
    }
    return best;
}

void elb_gap_conclude(const elb_gap_work *w, elb_gap_result *r)
{
    *r = (elb_gap_result){.part = w->set->part, .n = w->n, .own = w->own};
    for (int part = 0; part < ELB_GAP_PARTS; part++) {
        r->elbo[part] = result_column(w, (elb_gap_part)part, ELB_GAP_ELBO);
        r->bound[part] = result_column(w, (elb_gap_part)part, ELB_GAP_BOUND);
        result_shares(w, (elb_gap_part)part, r);
    }
    r->log_p_by = result_best(w);
    r->log_p = r->bound[r->log_p_by];
    r->approximation = result_difference(w, r->log_p_by, ELB_GAP_BOUND, w->own, ELB_GAP_ELBO);
    r->amortisation = result_difference(w, w->own, ELB_GAP_ELBO, ELB_GAP_ENCODER, ELB_GAP_ELBO);
    r->inference = result_difference(w, r->log_p_by, ELB_GAP_BOUND, ELB_GAP_ENCODER, ELB_GAP_ELBO);
}
