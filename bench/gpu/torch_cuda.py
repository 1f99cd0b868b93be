"""Runs a PyTorch step script that knows only the CPU on CUDA: STEP_SCRIPT names it, TF32=1 lets products round their operands."""
import os
import runpy
import sys

import torch

torch.set_default_device('cuda')
torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = os.environ.get('TF32') == '1'
sys.argv[0] = os.environ['STEP_SCRIPT']
sys.path.insert(0, os.path.dirname(sys.argv[0]))
runpy.run_path(sys.argv[0], run_name='__main__')
