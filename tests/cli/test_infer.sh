#!/bin/sh
# elbow infer and elbow refine: what they write and print, and that neither batch nor threads change a byte of it; refinement
# as an option of eval and reconstruct.
. "$(dirname "$0")/lib.sh"
images images.npy 300
small='--set model.hidden=8 --set posterior.hidden=8 --set model.latent=2 --set train.epochs=2 --set train.batch=20'
# shellcheck disable=SC2086 # words
ok "$ELBOW" train --preset avi --data images.npy $small --set data.test=50 --out run

# --- infer
ok "$ELBOW" infer run --out all.npz --part all
says '^data +images.npy \(all\), 300 of 300'
says '^lambda +4 values per datum, for 2 latents'
says '^ELBO +-[0-9.]+ \+- [0-9.]+ nats per datum .*, 1 sample, seed 1$'
says '^KL +[0-9.]+ nats'
says '^latency +[0-9.e-]+ ms per datum, one at a time'
says '^throughput +[0-9.e+]+ data/s, 128 at a time'
says '^table +all.npz$'
for key in index elbo kl mean variance lambda; do
    ok "$ELBOW" inspect all.npz --set data.key=$key
    says 'count +300'
done
refuse 3 "no array named 'label'" "$ELBOW" inspect all.npz --set data.key=label
refuse 3 "no array named 'steps'" "$ELBOW" inspect all.npz --set data.key=steps
ok "$ELBOW" infer run --json
json
[ "$(number out n)" = 50 ] || fail 'the test part has not 50 data'
[ "$(number out local)" = 4 ] || fail 'lambda has not 4 values'
says '"latency_ms": [0-9]'
says '"data_per_second": [0-9]'
says '"table": null'
ok "$ELBOW" infer run --limit 7 --samples 3 --out t.csv --json --progress json
says '^\{"phase":"inferring".*"last":true\}$' err
[ "$(head -n 1 t.csv)" = \
    index,elbo,kl,mean_0,mean_1,variance_0,variance_1,lambda_0,lambda_1,lambda_2,lambda_3,z_0,z_1,z_2,z_3,z_4,z_5,log_q_0,log_q_1,log_q_2 ] ||
    fail 't.csv has other columns'
[ "$(wc -l <t.csv)" -eq 8 ] || fail 't.csv has not a header and 7 lines'

# --- random functions: the score of every datum
# shellcheck disable=SC2086 # words
ok "$ELBOW" train --preset gp --data images.npy $small --set data.test=50 --out random
ok "$ELBOW" infer random --out scores.csv
head -n 1 scores.csv | grep -q '^index,elbo,kl,uncertainty,mean_0,' || fail 'scores.csv has no column uncertainty'
[ "$(tail -n 50 scores.csv | cut -d, -f4 | grep -c '^[0-9.e-]*[1-9]')" -eq 50 ] || fail 'not every score is above 0'
# shellcheck disable=SC2086 # words
refuse 2 "objective.type=gp is for posterior.type=gp alone" \
    "$ELBOW" train --preset avi --data images.npy $small --set objective.type=gp --out wrong

# --- neither batch nor threads, with refinement and without
for steps in 0 6; do
    how="--part all --set refine.steps=$steps --samples 2"
    # shellcheck disable=SC2086 # words
    ok "$ELBOW" infer run $how --out first.npz
    for more in '--batch 1' '--batch 33' '--threads 1' '--threads 3'; do
        # shellcheck disable=SC2086 # words
        ok "$ELBOW" infer run $how --out other.npz $more
        same first.npz other.npz
    done
    # shellcheck disable=SC2086 # words
    ok "$ELBOW" infer run $how --out other.npz --seed 9
    ! cmp -s first.npz other.npz || fail 'the seed changed nothing'
done
ok "$ELBOW" inspect first.npz --set data.key=steps
says 'max +6$'

# --- refine
ok "$ELBOW" refine run --steps 20 --rate 0.1 --out refined.npz
says '^refinement +20 steps of adam from the encoder, rate 0.1, samples 1$'
says '^ +steps +ELBO +\+- +gain +\+- +ms/datum +converged$'
for steps in 0 1 2 5 10 20; do says "^ +$steps +-[0-9.]+ "; done
says '^gain +[0-9.]+ \+- [0-9.]+ nats per datum$'
ok "$ELBOW" infer run --set refine.steps=20 --set refine.rate=0.1 --out inferred.npz --samples 10
ok "$ELBOW" inspect refined.npz --set data.key=lambda --json
cp out lambda.json
ok "$ELBOW" inspect inferred.npz --set data.key=lambda --json
grep -v inferred.npz out >a && grep -v refined.npz lambda.json >b
same a b
ok "$ELBOW" refine run --from zero --steps 300 --set refine.tolerance=100 --json
json
says '"converged": 50'
says '"mean_steps": 50\.0'
[ "$(grep -c '"gain_nats"' out)" -eq 10 ] || fail 'the ladder has not 10 rungs'
ok "$ELBOW" refine run --limit 2
says '^ +100 +-[0-9.]+ '
ok "$ELBOW" refine run --steps 10 --rate 30
says "^note: the steps lowered the ELBO" err

# --- refinement wherever q(z|x) is used
ok "$ELBOW" eval run --samples 20 --json
before=$(number out elbo_nats)
ok "$ELBOW" eval run --samples 20 --json --set refine.steps=50
after=$(number out elbo_nats)
awk -v a="$before" -v b="$after" 'BEGIN { exit !(b > a) }' || fail "refinement took the ELBO from $before to $after"
ok "$ELBOW" reconstruct run --count 9 --table plain.npz
ok "$ELBOW" reconstruct run --count 9 --table refined.npz --set refine.steps=100
! cmp -s plain.npz refined.npz || fail 'reconstruct does not refine'
for verb in eval infer refine reconstruct; do
    ok "$ELBOW" "$verb" --help
    says 'refine\.steps'
done

# --- what is refused
refuse 2 'a whole number from 1' "$ELBOW" refine run --steps 0
refuse 2 "refine.rate.*'fast'" "$ELBOW" refine run --rate fast
refuse 2 "did you mean 'encoder'" "$ELBOW" refine run --from encodr
refuse 2 'name the file .npz or .csv' "$ELBOW" infer run --out t.npy
refuse 2 'must end in .npz or .csv' "$ELBOW" infer run --out t.txt
refuse 2 'belongs to the trained model' "$ELBOW" infer run --set posterior.hidden=3
refuse 4 'takes data of 16 values' "$ELBOW" infer run --data synthetic:circle
refuse 1 'nowhere' "$ELBOW" infer run --out nowhere/t.npz
limited() { (ulimit -f 4 && "$@"); }
refuse 1 'full.npz' limited "$ELBOW" infer run --part all --samples 9 --out full.npz
[ -z "$(ls full.npz* 2>/dev/null)" ] || fail 'half a table was left'

# --- a signal: nothing is left half-written
"$ELBOW" refine run --part all --steps 1000000 --out stopped.npz >out 2>err &
pid=$!
while ! ls stopped.npz.tmp-* >/dev/null 2>&1; do kill -0 $pid || fail 'it ended by itself'; done
kill -INT $pid
wait $pid && fail 'it was not interrupted'
[ -z "$(ls stopped.npz* 2>/dev/null)" ] || fail 'an interruption left half a table'
says 'nothing was written' err
