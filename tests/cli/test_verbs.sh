#!/bin/sh
# The whole way on small data of every kind: train, eval, sample, reconstruct, inspect, report.
. "$(dirname "$0")/lib.sh"

png() { [ "$(head -c 4 "$1" | tail -c 3)" = PNG ] || fail "$1 is no PNG"; }

# estimate FILE: an evaluation's JSON with all that belongs to it.
estimate() {
    json "$1"
    for key in log_likelihood_nats standard_error bits_per_dim ess seed n samples; do
        number "$1" "$key" | grep -Eq '^-?[0-9]+(\.[0-9]+)?(e[-+]?[0-9]+)?$' || fail "no number $key in $1"
    done
    for key in unit estimator k_hat binarisation data; do says "\"$key\":" "$1"; done
}

# --- a synthetic set
ok "$ELBOW" train --preset table --data synthetic:figure-8 --set train.epochs=3 --set data.validation=100 --out run
says '^run +run$'
says '^trained +3 epochs'
says '^ELBO +-?[0-9.]+ nats per datum, -?[0-9.]+ bits/dim'
says '^validation ELBO +-?[0-9.]+ nats'
says '^active units +[0-9]+ of 4$'
says 'synthetic:figure-8 \(train\): 1000 x 2, float, range .*, 0 NaN' err
says '^training: .*100%' err
says '^Next: elbow eval run' err
for file in config.yaml model.safetensors state.safetensors log.jsonl; do
    [ -s "run/$file" ] || fail "run/$file is missing"
done
[ "$(grep -c '"event": *"epoch"' run/log.jsonl)" -eq 3 ] || fail 'run/log.jsonl has not three epochs'

ok "$ELBOW" train -q --json --preset table --data synthetic:figure-8 --set train.epochs=1 --out run-json
json
[ ! -s err ] || fail '--quiet was not'
[ "$(number out epochs)" = 1 ] || fail 'the JSON has not one epoch'
says '"unit": "nats per datum"'

# With its streams closed, the command writes nothing into the files that it opens instead.
"$ELBOW" train --preset table --data synthetic:figure-8 --set train.epochs=3 --set data.validation=100 --out run-deaf \
    >out 2>&- <&- || fail 'training failed without standard error'
same run-deaf/model.safetensors run/model.safetensors
[ "$(grep -vc '^{.*}$' run-deaf/log.jsonl)" -eq 0 ] || fail 'something else is in the log'

ok "$ELBOW" eval run
says '^estimator +iwae, 100 samples per datum, seed 1$'
says '^log-likelihood +-?[0-9.]+ \+- [0-9.]+ nats per datum'
says '^bits/dim '
says '^effective samples '
says '^Pareto k-hat '
says '^data +synthetic:figure-8 \(test\), 1000 of 1000, binarised: none$'
ok "$ELBOW" eval run --json --seed 3 --samples 10
cp out whole.json
same whole.json run/eval-iwae.json
ok "$ELBOW" eval run --json --seed 3 --samples 10 --limit 50
cp out first.json
estimate first.json
for other in '--limit 50' '--part validation' '--data synthetic:circle' '--set data.scale=2'; do
    # shellcheck disable=SC2086 # two words
    ok "$ELBOW" eval run --samples 10 $other
    says "^note: not kept in 'run'" err
    same whole.json run/eval-iwae.json
done
[ "$(number first.json n)" = 50 ] || fail '--limit was not kept to'
# Neither batch nor threads change a bit; the seed does.
for how in '--batch 1' '--batch 17' '--threads 1' '--threads 3'; do
    # shellcheck disable=SC2086 # two words
    ok "$ELBOW" eval run --json --seed 3 --samples 10 --limit 50 $how
    [ "$(number out log_likelihood_nats)" = "$(number first.json log_likelihood_nats)" ] || fail "$how changed the result"
done
ok "$ELBOW" eval run --json --seed 4 --samples 10 --limit 50
[ "$(number out log_likelihood_nats)" != "$(number first.json log_likelihood_nats)" ] || fail 'the seed changed nothing'
ok "$ELBOW" eval run --json --estimator elbo --per-datum each.csv --part validation --limit 100
estimate out
[ "$(head -n 1 each.csv)" = index,elbo,iwae,ess,k_hat ] || fail 'each.csv has other columns'
[ "$(wc -l <each.csv)" -eq 101 ] || fail 'each.csv has not a header and 100 lines'
ok "$ELBOW" eval run --json --limit 20 --per-datum each.npz --progress json
says '^\{"phase":"evaluating".*"last":true\}$' err
ok "$ELBOW" inspect each.npz --set data.key=elbo
says 'count 20'

# --- annealing: kept, and begun anew each time; with what belongs to it
ais='--estimator ais --temperatures 8 --chains 4'
# shellcheck disable=SC2086 # words
ok "$ELBOW" eval run $ais --limit 30 --per-datum each.csv
says '^estimator +ais, 4 chains, 8 temperatures \(sigmoid, from the prior\), 10 leapfrog steps, seed 1$'
says '^effective chains +[0-9.]+ of 4'
says '^moves +[0-9]+ % accepted'
[ "$(head -n 1 each.csv)" = index,ais,ais_error,ess,acceptance,step ] || fail 'each.csv has other columns'
[ ! -e run/eval-ais.partial ] || fail 'the partial file was not removed'
# shellcheck disable=SC2086 # words
ok "$ELBOW" eval run $ais --json --start posterior --schedule linear --leapfrog 3 --adapt in-run
json
same out run/eval-ais.json
[ "$(number out temperatures)" = 8 ] || fail 'the JSON has not 8 temperatures'
printf 'rubbish' >run/eval-ais.partial
# shellcheck disable=SC2086 # words
refuse 4 'eval-ais.partial' "$ELBOW" eval run $ais
rm run/eval-ais.partial
ok "$ELBOW" eval run --estimator bdmc --temperatures 2 --chains 2 --leapfrog 2
says '^data +100, drawn from the model$'
says '^sandwich +-?[0-9.]+ \+- [0-9.]+ nats'
says '^converged +(NO|yes): '
[ -s run/eval-bdmc.json ] || fail 'run/eval-bdmc.json is missing'

ok "$ELBOW" sample run
says '^picture +run/images/samples.png$'
png run/images/samples.png
ok "$ELBOW" sample run --count 7 --table z.csv --json
json
[ "$(wc -l <z.csv)" -eq 8 ] || fail 'z.csv has not a header and 7 lines'
cp z.csv first.csv
ok "$ELBOW" sample run --count 7 --table z.csv
same z.csv first.csv
ok "$ELBOW" sample run/model.safetensors --count 4 --out alone.png
png alone.png
ok "$ELBOW" reconstruct run --table r.csv --out r.png
png r.png
ok "$ELBOW" reconstruct run
png run/images/reconstructions.png
ok "$ELBOW" report run
says '^run/report.html$'
says '</html>' run/report.html
ok "$ELBOW" report run --json
json

# --- inspect
ok "$ELBOW" inspect run
says '^kind +run$'
says '^ +epoch +3$'
says '^  eval-iwae.json .*log_likelihood_nats'
says '^  eval-ais.json .*log_likelihood_nats'
says '^  model.latent +4$'
says '^  decoder.0.weight +shape 64x4, count 256$'
ok "$ELBOW" inspect run --json
json
ok "$ELBOW" inspect run/model.safetensors --json
json
says '"kind": "model"'
ok "$ELBOW" inspect synthetic:figure-8 --json
json
says '"nan_count": 0'

# --- images in an NPY file, and what was made of them as a folder of PNG
images images.npy 60
ok "$ELBOW" inspect images.npy
says '^shape +4x4$'
says '^type +8-bit integer$'
says '^max +(2[0-4][0-9]|250)$'
says '^nan count +0$'
refuse 3 'Bernoulli likelihood needs values' "$ELBOW" train --data images.npy --set likelihood.type=bernoulli \
    --set data.scale=1 --out refused
small='--set model.hidden=8 --set posterior.hidden=8 --set model.latent=2 --set train.epochs=2 --set train.batch=20'
# shellcheck disable=SC2086 # words
ok "$ELBOW" train --preset avi --data images.npy $small --set data.test=20 --out images
ok "$ELBOW" eval images --json
estimate out
[ "$(number out n)" = 20 ] || fail 'the test part has not 20 data'
says '"binarisation": "dynamic"'
ok "$ELBOW" eval images --data images.npy --part all --set data.binarise=threshold --json
[ "$(number out n)" = 60 ] || fail 'there are not 60 data in all'
says '"binarisation": "threshold"'
ok "$ELBOW" reconstruct images --count 12
png images/images/reconstructions.png
mkdir pngs
for seed in 1 2 3 4 5 6 7 8; do ok "$ELBOW" sample images --count 1 --seed $seed --out pngs/$seed.png; done
ok "$ELBOW" inspect pngs
says 'count 8'
# shellcheck disable=SC2086 # words
ok "$ELBOW" train --preset avi --data pngs $small --set train.batch=4 --out run-png
ok "$ELBOW" eval run-png --estimator elbo
says 'binarised: dynamic'
says 'no test part' err

# --- a table
table table.csv 120
# shellcheck disable=SC2086 # words
ok "$ELBOW" train --preset table --data table.csv $small --out run-csv
ok "$ELBOW" eval run-csv --samples 20
says '120 of 120'
ok "$ELBOW" sample run-csv
refuse 4 'takes data of 3 values.*16' "$ELBOW" eval run-csv --data images.npy
refuse 4 'takes data of 16 values.*3' "$ELBOW" eval images --data table.csv
refuse 3 'only those in \[0,1\] can be binarised by chance' "$ELBOW" eval images --set data.scale=100
refuse 2 'belongs to the trained model' "$ELBOW" eval run-csv --set model.latent=3
refuse 2 "unknown key 'data.binarize'; did you mean 'data.binarise'" "$ELBOW" eval run-csv --set data.binarize=none
refuse 2 'no run.s folder' "$ELBOW" sample run-csv/model.safetensors
cp run-csv/model.safetensors model.safetensors
refuse 2 'must end in .png' "$ELBOW" sample run-csv --out run-csv/model.safetensors
refuse 2 'must end in .png' "$ELBOW" reconstruct run-csv --out run-csv/model.safetensors
same run-csv/model.safetensors model.safetensors

# --- bench
ok "$ELBOW" bench --task train --batch 4 --repeats 2 --data 9 --threads 1
says '^training step, batch 4 '
ok "$ELBOW" bench --task ais --batch 4 --samples 3 --repeats 2 --data 9
says '^AIS, batch 4 x 3, a temperature '
ok "$ELBOW" bench --task encode --batch 4 --repeats 2 --data 9 --json
json
printf '%s\n' '{"task":"describe"}' '{"task":"svi","batch":2,"steps":2,"repeats":2,"threads":1}' '{"task":"none"}' '[' |
    "$ELBOW" bench --worker --data 9 >out 2>err || fail 'the worker failed'
[ "$(wc -l <out)" -eq 4 ] || fail 'the worker has not answered every line'
sed -n 1p out >line && says '"version"' line
sed -n 2p out >line && says '"seconds":[0-9.e-]+.*"steps":2' line
sed -n 3p out >line && says '"error"' line
sed -n 4p out >line && says '"error"' line
