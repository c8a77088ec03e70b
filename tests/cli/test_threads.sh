#!/bin/sh
# A whole training run gives the same bytes with 1, 2 and 3 threads, with every table of kernels this machine has; and an
# evaluation the same number.
. "$(dirname "$0")/lib.sh"
images images.npy 200
run='--preset avi --data images.npy --set model.hidden=40,30 --set posterior.hidden=30,40 --set model.latent=5
    --set train.epochs=3 --set train.batch=64 --set data.validation=20 --set objective.type=iwae --set objective.samples=5
    --set objective.gradient=dreg'

ok "$ELBOW" doctor --json
json
tables=$(tr -s ',{}' '\n' <out | sed -n 's/^ *"available": *"\(.*\)"/\1/p')
[ -n "$tables" ] || fail 'doctor names no kernels'
for table in $tables; do
    for threads in 1 2 3; do
        # shellcheck disable=SC2086 # words
        ok "$ELBOW" train $run --kernels "$table" --threads $threads --out "$table-$threads"
        same "$table-$threads/model.safetensors" "$table-1/model.safetensors"
        ok "$ELBOW" eval "$table-1" --data images.npy --part train --samples 30 --json --kernels "$table" --threads $threads
        number out log_likelihood_nats >"$table-$threads/number"
        same "$table-$threads/number" "$table-1/number"
    done
done
# The tables agree with each other up to rounding.
for table in $tables; do
    awk -v a="$(cat "$table-1/number")" -v b="$(cat reference-1/number)" \
        'BEGIN { d = a - b; if (d < 0) d = -d; exit !(d < 1e-3 * (b < 0 ? -b : b)) }' ||
        fail "$table: $(cat "$table-1/number"), reference: $(cat reference-1/number)"
done
