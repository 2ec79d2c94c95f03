#!/usr/bin/env bash
#SBATCH --job-name=onnx-compress
#SBATCH --array=0-99
#SBATCH --cpus-per-task=2
#SBATCH --mem=4G
#SBATCH --time=01:00:00
#SBATCH --output=onnx-compress-%A-%a.log
# Compresses the models of a list on a Slurm cluster: each job of the array takes every hundredth line.
#   find models -name '*.onnx' > models.txt
#   sbatch slurm-array.sh models.txt small
# Submit it again to go on: what is there already is not made again.
set -euo pipefail

LIST=${1:?a file with the path of a model on each line}
OUT=${2:?the folder of results}
TASK=${SLURM_ARRAY_TASK_ID:-0}
TASKS=${SLURM_ARRAY_TASK_COUNT:-1}

failed=0
while IFS= read -r model; do
  result="$OUT/$model"
  if [ -e "$result" ]; then
    continue
  fi
  mkdir -p "$(dirname "$result")"
  onnx-compress quantize --int8 --quiet "$model" -o "$result" || failed=1
done < <(awk -v task="$TASK" -v tasks="$TASKS" '(NR - 1) % tasks == task' "$LIST")
exit "$failed"
