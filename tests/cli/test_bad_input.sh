#!/bin/sh
# Data, configurations, models and checkpoints that are damaged or do not fit, and disks that take no more: one sentence, the
# documented exit code, and every file that was there before is as it was.
. "$(dirname "$0")/lib.sh"
small='--set model.hidden=32 --set posterior.hidden=32 --set model.latent=2 --set train.epochs=2 --set train.batch=20 --threads 1'
# train DATA...: would train on images, were it not for what is wrong.
train() { # shellcheck disable=SC2086 # words
    "$ELBOW" train --preset avi $small --out refused --data "$@"
}

# --- data
images good.npy 60
: >empty.npy
refuse 3 "empty.npy" train empty.npy
head -c 500 good.npy >cut.npy
refuse 3 "cut.npy" train cut.npy
head -c 60 good.npy >header.npy
refuse 3 "header.npy" train header.npy
npy huge.npy '|u1' '9999999999, 28, 28'
bytes 1000 1 >>huge.npy
refuse 3 "huge.npy" train huge.npy
npy overflow.npy '<f8' '4294967296, 4294967296, 4294967296'
refuse 3 "overflow.npy" train overflow.npy
npy object.npy '|O' '10, 4'
bytes 320 1 >>object.npy
refuse 3 "object.npy" train object.npy
npy none.npy '|u1' '0, 4, 4'
refuse 3 "none.npy" train none.npy
npy minus.npy '|u1' '-4, 4, 4'
refuse 3 "minus.npy" train minus.npy
bytes 3000 5 >noise.npy
refuse 3 "noise.npy" train noise.npy
cp noise.npy noise.npz
refuse 3 "noise.npz" train noise.npz
cp noise.npy noise-idx3-ubyte
refuse 3 "noise-idx3-ubyte" train noise-idx3-ubyte
gzip -c good.npy | head -c 200 >cut.npy.gz
refuse 3 "cut.npy.gz" train cut.npy.gz
printf '1,2\n3,nan\n' >nan.csv
refuse 3 "nan.csv.*(NaN|not a number)" train nan.csv
refuse 3 "nan.csv.*(NaN|not a number)" train nan.csv --preset table
printf '1,2\n3,inf\n-inf,4\n' >infinite.csv
refuse 3 "infinite.csv.*2 values are infinite" train infinite.csv
refuse 3 "infinite.csv.*2 values are infinite" train infinite.csv --preset table
ok "$ELBOW" inspect infinite.csv
says '^infinite count +2$'
printf '1,2\n3\n' >ragged.csv
refuse 3 "ragged.csv" train ragged.csv
printf 'some words\nand more\n' >words.csv
refuse 3 "words.csv" train words.csv
printf '5,-3\n2,900\n' >range.csv
refuse 3 "range.csv.*0..1|range.csv.*\[0,1\]" train range.csv --set likelihood.type=bernoulli
mkdir pngs
refuse 3 "pngs|PNG" train pngs
bytes 400 3 >pngs/a.png
refuse 3 "a.png" train pngs
cp words.csv words.txt
refuse 3 "no known ending" train words.txt
refuse 1 "no file, folder or data set 'missing.npy'" train missing.npy
refuse 1 "did you mean 'fashion-mnist'" train fashion-mist
refuse 1 "ELBOW_MNIST|train-images" env -u ELBOW_MNIST "$ELBOW" train --data mnist --out refused
for data in empty.npy cut.npy huge.npy noise.npz ragged.csv pngs; do
    refuse 3 "$data|a.png" "$ELBOW" inspect "$data"
done
[ ! -e refused ] || fail 'refused data made a run'

# --- configurations
good() { # shellcheck disable=SC2086 # words
    "$ELBOW" train --preset avi $small --data good.npy --out "$@"
}
printf 'model: {latnt: 3}\n' >key.yaml
refuse 2 "key.yaml.*latnt.*did you mean 'model.latent'" good refused --config key.yaml
printf 'model: {latent: many}\n' >value.yaml
refuse 2 "value.yaml.*model.latent" good refused --config value.yaml
printf 'model: {latent: 3\n' >cut.yaml
refuse 2 "cut.yaml" good refused --config cut.yaml
refuse 2 "noise.npy" good refused --config noise.npy
awk 'BEGIN { for (i = 0; i < 200000; i++) print "# ........" }' >long.yaml
refuse 2 "long.yaml" good refused --config long.yaml
refuse 1 "missing.yaml" good refused --config missing.yaml
refuse 2 "pngs" good refused --config pngs
[ ! -e refused ] || fail 'a refused configuration made a run'

# --- models
ok good run
ok "$ELBOW" eval run --json
cp out eval.json
size=$(wc -c <run/model.safetensors)
mkdir models
: >models/empty.safetensors
for part in 4 8 100 $((size / 2)) $((size - 1)); do head -c "$part" run/model.safetensors >"models/cut-$part.safetensors"; done
cp noise.npy models/noise.safetensors
{ printf '\377\377\377\377\377\377\377\177' && bytes 100 1; } >models/huge.safetensors
{ cat run/model.safetensors && bytes 10 1; } >models/longer.safetensors
sed 's/"F32"/"F99"/' run/model.safetensors >models/type.safetensors
sed 's/elbow.config/elbow.confog/' run/model.safetensors >models/unnamed.safetensors
sed 's/latent: 2/latent: 3/' run/model.safetensors >models/other.safetensors
sed 's/decoder.0.weight/decoder.9.weight/' run/model.safetensors >models/renamed.safetensors
for model in models/*; do
    for verb in eval sample reconstruct inspect; do refuse 4 "$model" "$ELBOW" $verb "$model"; done
done
refuse 1 "missing" "$ELBOW" eval missing
refuse 1 "missing.safetensors" "$ELBOW" inspect missing.safetensors
refuse 1 "pngs" "$ELBOW" eval pngs
refuse 1 "pngs" "$ELBOW" report pngs
refuse 4 'takes data of 16 values' "$ELBOW" eval run --data synthetic:circle --set data.binarise=none
refuse 2 'must end in .npz or .csv' "$ELBOW" eval run --per-datum numbers.txt
refuse 1 'no/such/folder|No such file' "$ELBOW" eval run --per-datum no/such/folder.csv
refuse 1 'no/such|No such file' "$ELBOW" sample run --out no/such.png

# A small file that declares a large model is refused before memory is asked for.
sed 's/"4x4"/"9x9"/; s/hidden: \[32\]/hidden: [99]/' run/model.safetensors >large.safetensors
cmp -s run/model.safetensors large.safetensors && fail 'large.safetensors is as it was'
refuse 4 "large.safetensors.*expected" "$ELBOW" eval large.safetensors
# A weight that is not a number: the last of the file.
{ head -c "$(($(wc -c <run/model.safetensors) - 4))" run/model.safetensors && printf '\377\377\377\177'; } >nan.safetensors
refuse 4 "nan.safetensors.*tensor '.*' holds a number that is not finite" "$ELBOW" eval nan.safetensors
# A result that a run cannot keep is printed all the same.
rm -rf shut && cp -r run shut && rm -f shut/eval-iwae.json && mkdir shut/eval-iwae.json
code=0
"$ELBOW" eval shut --json >out 2>err || code=$?
[ "$code" -eq 1 ] || fail "exit code $code where the result could not be kept"
[ "$(number out log_likelihood_nats)" = "$(number eval.json log_likelihood_nats)" ] || fail 'the result was thrown away'

# --- checkpoints
before=$(cksum run/*.*)
size=$(wc -c <run/state.safetensors)
for part in 0 7 200 $((size / 2)) $((size - 1)); do
    rm -rf damaged && cp -r run damaged
    head -c "$part" run/state.safetensors >damaged/state.safetensors
    sum=$(cksum damaged/*.*)
    refuse 4 "damaged/state.safetensors" "$ELBOW" train --resume --out damaged
    [ "$(cksum damaged/*.*)" = "$sum" ] || fail 'a refused checkpoint changed the run'
done
ok "$ELBOW" train --preset table --data synthetic:circle --set train.epochs=1 --out other
rm -rf damaged && cp -r run damaged && cp other/state.safetensors damaged
refuse 2 "was started with data.spec=synthetic:circle" "$ELBOW" train --resume --out damaged --set train.epochs=3
rm -rf damaged && cp -r run damaged && printf 'model: {latent: 3}\n' >damaged/config.yaml
code=0
"$ELBOW" train --resume --out damaged >out 2>err || code=$?
if [ "$code" -lt 2 ] || [ "$code" -gt 4 ]; then fail "exit code $code with another configuration in the run"; fi
rm damaged/config.yaml
refuse 1 "config.yaml" "$ELBOW" train --resume --out damaged
rm -rf damaged && cp -r run damaged && rm damaged/state.safetensors
refuse 2 "holds no run to resume|no state.safetensors" "$ELBOW" train --resume --out damaged

# --- folders that cannot be written
refuse 1 "/proc/elbow" good /proc/elbow
refuse 1 "good.npy" good good.npy/run
if [ "$(id -u)" -ne 0 ]; then
    mkdir closed && chmod a-w closed
    refuse 1 "closed" good closed/run
    chmod -R a-w run
    refuse 1 "run" "$ELBOW" sample run --out run/images/new.png
    refuse 1 "run" "$ELBOW" report run
    chmod -R u+w run
fi

# --- no space: files may have 30 blocks of 512 bytes, which a configuration fits into and a model does not
limited() { (ulimit -f 30 && "$@"); }
# shellcheck disable=SC2086 # words
refuse 1 "full.*(model|state).safetensors" limited "$ELBOW" train --preset avi --data good.npy --set train.epochs=1 --out full
rm full/config.yaml full/log.jsonl
rmdir full || fail "a full disk left $(ls -A full)"
refuse 1 "samples.npz" limited "$ELBOW" sample run --count 500 --table samples.npz
[ ! -e samples.npz ] || fail 'half a table was left'
refuse 1 "report.html" limited "$ELBOW" report run
[ ! -e run/report.html ] || fail 'half a page was left'
# A file that was there stays as it was when its successor does not fit.
ok "$ELBOW" sample run --count 5 --table samples.npz
cp samples.npz kept.npz
refuse 1 "samples.npz" limited "$ELBOW" sample run --count 500 --table samples.npz
same samples.npz kept.npz
# A checkpoint that does not fit stops the run, and the one before it is whole.
refuse 1 "(model|state).safetensors" limited "$ELBOW" train --resume --out run --set train.epochs=4
[ "$(cksum run/*.safetensors)" = "$(echo "$before" | grep safetensors)" ] || fail 'a full disk damaged the run'
ok "$ELBOW" eval run --json
[ "$(number out log_likelihood_nats)" = "$(number eval.json log_likelihood_nats)" ] || fail 'the model has changed'
ok "$ELBOW" train --resume --out run --set train.epochs=4

# A whole file system of 64 KB, where one can be mounted.
mkdir tiny
if mount -t tmpfs -o size=64k elbow-test tiny 2>/dev/null; then
    # shellcheck disable=SC2086 # words
    refuse 1 "tiny/run.*No space left" "$ELBOW" train --preset avi --data good.npy --set train.epochs=1 --out tiny/run
    umount tiny
fi
