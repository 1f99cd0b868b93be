#!/usr/bin/env bash
# On a machine with an NVIDIA GPU: the tests on webgpu and cuda, then both against PyTorch on CUDA, in float32 and with TF32.
# Results go to bench/results/, with the name of the GPU. Usage: bench/gpu/run.sh STEP_SCRIPT [workloads...]
set -euo pipefail
STEP_SCRIPT=$(realpath "$1")
export STEP_SCRIPT
shift
cd "$(dirname "$0")/../.."
workloads=("$@")
[ $# -eq 0 ] && workloads=(mnist-w64 cifar-w64-b128 wrn8)
gpu=$(nvidia-smi --query-gpu=name --format=csv,noheader | head -1 | tr '[:upper:] ' '[:lower:]-')

npm run --silent test:webgpu
for device in webgpu cuda; do
  npm run --silent golden -- --devices "$device" || echo "golden numbers differ on $device"
done
for tf32 in 0 1; do
  for device in webgpu cuda; do
    # 1 leaves the choice to the libraries; WebGPU has no TF32, only PyTorch's numbers change there.
    file="bench/results/$(date +%F)-$gpu-$device-tf32-$tf32.json"
    NVIDIA_TF32_OVERRIDE=$tf32 TF32=$tf32 npm run --silent bench -- "${workloads[@]}" --json --steps 30 --warmup 5 \
      --device "$device" \
      --peer "$PWD/bench/gpu/torch_cuda.py" > "$file"
    echo "$file"
  done
done
