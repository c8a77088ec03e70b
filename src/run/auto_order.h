/* auto_order.h - posterior.order=auto: components are added until data that were held out gain nothing more. */
#ifndef ELB_AUTO_ORDER_H
#define ELB_AUTO_ORDER_H

#include <elbow/train.h>

/* Whether the order of this configuration's mixture is to be found. */
bool elb_order_is_auto(const elb_config *config);
/* Trains settings->folder/start, a VAE (for objective.pretrain of the epochs; not where that is 0), and from it, for
 * the rest of the epochs each, order-1 (the VAE goes on), order-2, ..: runs like any other. Stops when two in a row do
 * not gain: their mean gain over the best before them, in log-likelihood of the held-out data, is not above that mean's
 * standard error. The best is chosen, and its model.safetensors becomes the folder's. The folder's log.jsonl tells
 * every order's gain. Orders use 8 decoder samples or little more (those of 6, 7, 9 and 10: 12, 14, 9 and 10), so that
 * it is not these which gain.
 * With resume, what is done is not done again. Errors: as elb_train; ELB_USAGE without data.validation. */
elb_status elb_train_auto_order(const elb_config *config, const elb_train_settings *settings, elb_train_result *result);

#endif
