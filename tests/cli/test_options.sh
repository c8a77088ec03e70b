#!/bin/sh
# Options and configurations that make no sense: one sentence that says what is expected, and exit code 2.
. "$(dirname "$0")/lib.sh"
data=synthetic:figure-8

# Options.
refuse 2 '--out RUN is missing' "$ELBOW" train --data $data
refuse 2 '--out RUN is missing' "$ELBOW" train --resume
refuse 2 "unknown option '--presett'; did you mean '--preset'" "$ELBOW" train --presett avi
refuse 2 "unknown option '-z'" "$ELBOW" train -z
refuse 2 "unknown option '-qv'" "$ELBOW" train -qv
refuse 2 '--out needs a value: --out RUN' "$ELBOW" train --out
refuse 2 '--data needs a value' "$ELBOW" train --data --out run
refuse 2 '--resume takes no value' "$ELBOW" train --resume=yes
refuse 2 "'stray' is not expected" "$ELBOW" train stray
refuse 2 'RUN is missing' "$ELBOW" eval
refuse 2 "'b' is one argument too many" "$ELBOW" eval a b
refuse 2 "'-x' is one argument too many" "$ELBOW" eval a -- -x
refuse 2 "did you mean 'bar'" "$ELBOW" train --progress baar --out run
refuse 2 "one of train, validation, test, all.*did you mean 'test'" "$ELBOW" eval run --part tset
refuse 2 "one of elbo, iwae, ais, bdmc" "$ELBOW" eval run --estimator laplace
refuse 2 '--samples belongs to elbo and iwae' "$ELBOW" eval run --estimator ais --samples 5
refuse 2 'iwae takes --samples' "$ELBOW" eval run --chains 5
refuse 2 'bdmc draws its data from the model' "$ELBOW" eval run --estimator bdmc --part test
refuse 2 'one of linear, sigmoid' "$ELBOW" eval run --estimator ais --schedule cosine
refuse 2 "one of auto, reference" "$ELBOW" train --kernels sse --data $data --out run

# Numbers, absurd in every way.
for value in 0 -1 1e99 nan inf '' ' 5' 5x 0x10 257 99999999999999999999 1.5; do
    refuse 2 '--threads is .* a whole number from 1 to 256 is expected' "$ELBOW" train --threads "$value" --out run
done
for value in -1 1e99 nan 9007199254740993 x; do
    refuse 2 '--seed is .* from 0 to 9007199254740992' "$ELBOW" train --seed "$value" --out run
done
for option in samples limit batch; do
    for value in 0 -5 1e99 nan 99999999999999999999; do
        refuse 2 "--$option is .* a whole number from 1" "$ELBOW" eval run "--$option" "$value"
    done
done
refuse 2 '--count is .0., but a whole number from 1' "$ELBOW" sample run --count 0
refuse 2 '--repeats' "$ELBOW" bench --repeats 0

# Presets and keys.
refuse 2 "unknown preset 'avii'; did you mean 'avi'" "$ELBOW" train --preset avii --data $data --out run
refuse 2 "no preset 'avii'; did you mean 'avi'" "$ELBOW" presets avii
refuse 2 "no key or section 'modle'" "$ELBOW" keys modle
refuse 2 "--set 'train' has no '='" "$ELBOW" train --set train --out run
refuse 2 "--set '=5' has no '='|KEY=VALUE" "$ELBOW" train --set =5 --out run
refuse 2 "unknown key 'model.latnt'; did you mean 'model.latent'" "$ELBOW" train --set model.latnt=5 --out run
for pair in train.epochs=0 train.epochs=-3 train.epochs=1e99 train.batch=0 train.batch=nan model.latent=0 \
    model.latent=99999999999 optimizer.rate=-1 optimizer.rate=nan optimizer.rate=inf optimizer.rate=1e99 \
    model.hidden=0 model.hidden=200,x objective.samples=0 likelihood.log_variance=1e9 data.validation=-1 seed=-1 \
    train.output_bias=maybe; do
    refuse 2 "${pair%%=*} is" "$ELBOW" train --data $data --set "$pair" --out run
done
refuse 2 "did you mean 'gaussian'" "$ELBOW" train --data $data --set likelihood.type=gausian --out run
refuse 2 'patience needs validation' "$ELBOW" train --preset table --data $data --set train.patience=3 --out run
refuse 2 '--data SPEC is missing' "$ELBOW" train --out run
refuse 2 "no synthetic set 'figure-9'.*figure-8" "$ELBOW" train --data synthetic:figure-9 --out run
table table.csv 90
refuse 2 'leave nothing of 90 data' "$ELBOW" train --preset table --data table.csv --set data.validation=99 --out run
[ ! -e run ] || fail 'a refused command made the folder run'

# The order in which a configuration is put together: the later one wins.
printf 'model: {latent: 7}\ntrain: {epochs: 3}\nseed: 5\n' >my.yaml
ok "$ELBOW" train --preset avi --config my.yaml --seed 9 --set train.epochs=4 --data $data --print-config
says '^ *latent: 7'
says '^ *epochs: 4'
says '^seed: 9'
says 'binarise: auto'
says "spec: .*$data"
cp out whole.yaml
ok "$ELBOW" train --config whole.yaml --print-config
same out whole.yaml
ok "$ELBOW" train --print-config
says '^ *latent: auto'

# The lists.
ok "$ELBOW" presets
says '^avi '
ok "$ELBOW" presets avi
says 'auto'
ok "$ELBOW" presets avi --json
json
says '"name": "avi"'
[ "$(grep -c '"name"' out)" -eq 1 ] || fail 'NAME was not honoured'
refuse 2 "no preset 'avii'; did you mean 'avi'" "$ELBOW" presets avii --json
ok "$ELBOW" presets --json
json
ok "$ELBOW" keys model
says '^model.latent=auto'
ok "$ELBOW" keys --json
json
