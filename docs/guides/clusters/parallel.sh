#!/usr/bin/env bash
# Compresses each model of a list with GNU parallel, on this machine or on several with SSH.
#   find models -name '*.onnx' > models.txt
#   bash parallel.sh models.txt small
# Run it again to go on: parallel keeps in the job log what is done.
set -euo pipefail

LIST=${1:?a file with the path of a model on each line}
OUT=${2:?the folder of results}
# How many models at once on each machine: large ones use two threads and more by themselves.
JOBS=${JOBS:-4}
# Machines that share this folder, as parallel takes them: 'ada,grace'. Empty: this one alone.
HOSTS=${HOSTS:-}

mkdir -p "$OUT"
set --
if [ -n "$HOSTS" ]; then
  set -- --sshlogin "$HOSTS" --workdir "$PWD"
fi

# {} is the path of a model; results lie as the models do. --halt never: one bad model stops no other.
parallel "$@" --jobs "$JOBS" --joblog "$OUT/jobs.log" --resume-failed --halt never --bar \
  onnx-compress quantize --int8 --quiet --force {} -o "$OUT/{//}/" :::: "$LIST"
