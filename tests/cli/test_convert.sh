#!/bin/sh
# A model trained in PyTorch (tests/golden/convert.py) becomes one of elbow's, and every command works on it.
. "$(dirname "$0")/lib.sh"
golden=$(cd "$(dirname "$0")/../golden" && pwd)
weights=$golden/convert_two_heads.safetensors
awk 'BEGIN { for (i = 0; i < 40; i++) for (j = 0; j < 12; j++) printf "%d%s", (i * 7 + j * j) % 3 == 0, j < 11 ? "," : "\n" }' >data.csv

# --- somebody else's file
ok "$ELBOW" inspect "$weights"
says '^kind +weights$'
says '^  enc.fc.0.weight +shape 7x12, count 84, dtype F32$'
says '^Next: elbow convert .* --print-map$' err
ok "$ELBOW" inspect -q --json "$weights"
json
says '"dtype": "F32"'

# --- by its map
ok "$ELBOW" convert "$weights" --map "$golden/convert_two_heads.yaml" --out model.safetensors
says '^size +12 values, 3 latent, 325 parameters$'
says '^check +4 data, the largest relative difference is [0-9.e-]+$'
says '^Next: elbow eval model.safetensors' err
ok "$ELBOW" convert -q --json "$weights" --map "$golden/convert_two_heads.yaml" --out run
json
[ "$(number out checked)" = 4 ] || fail 'four data were not checked'
[ ! -s err ] || fail '--quiet was not'
same run/model.safetensors model.safetensors

ok "$ELBOW" inspect model.safetensors
says '^kind +model$'
says 'model.activation +relu$'
ok "$ELBOW" eval run --data data.csv --samples 50
says '^log-likelihood +-[0-9.]+ \+- [0-9.]+ nats per datum'
ok "$ELBOW" sample model.safetensors --out samples.png
ok "$ELBOW" reconstruct model.safetensors --data data.csv --out pairs.png
[ -s samples.png ] && [ -s pairs.png ] || fail 'no pictures'
ok "$ELBOW" infer model.safetensors --data data.csv --out posterior.npz
ok "$ELBOW" refine model.safetensors --data data.csv --steps 5 --out refined.npz
[ -s posterior.npz ] && [ -s refined.npz ] || fail 'no posteriors'

ok "$ELBOW" gap run --data data.csv --limit 5 --samples 50 --steps 40 --chains 2 --temperatures 5
says '^nats per datum +all, n = 5$'
says '^inference gap +-?[0-9.]+ \+- [0-9.]+$'
[ -s run/gap/gap.json ] || fail 'no gaps'

# --- by a guessed one: right but for what names and shapes do not tell
ok "$ELBOW" convert "$weights" --print-map
cp out map.yaml
says '^  layers: \[enc.fc.0, enc.fc.1\]$'
says '^  scale: spread$'
sed -i 's/^check:.*/check:/; s/^shape: 12/shape: 3x4/' map.yaml
ok "$ELBOW" convert "$weights" --map map.yaml --out guessed.safetensors
says "tensor 'log_w' is not used" err
ok "$ELBOW" convert --json "$weights" --print-map
json

# --- refused
refuse 2 '^elbow convert: --map is missing: ' "$ELBOW" convert "$weights" --out a.safetensors
refuse 2 '^elbow convert: --out is missing: ' "$ELBOW" convert "$weights" --map map.yaml
refuse 1 'nowhere.yaml' "$ELBOW" convert "$weights" --map nowhere.yaml --out a.safetensors
refuse 4 'data.csv' "$ELBOW" convert data.csv --map map.yaml --out a.safetensors
sed 's/relu/elu/' map.yaml >wrong.yaml
refuse 4 'the ELBO of datum [0-9] is -[0-9.]+ here .*: off by' "$ELBOW" convert "$weights" --map wrong.yaml --out a.safetensors
sed 's/mean: mu/mean: nu/' map.yaml >wrong.yaml
refuse 2 "wrong.yaml:[0-9]+: encoder.mean: there is no tensor 'nu.weight'; did you mean 'mu.weight'" \
    "$ELBOW" convert "$weights" --map wrong.yaml --out a.safetensors
[ ! -e a.safetensors ] || fail 'a refused model was written'
