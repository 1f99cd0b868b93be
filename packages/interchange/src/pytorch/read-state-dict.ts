import { CertError } from '@cert/core';
import { decodeSafetensors, type FlatTensors } from '@cert/models';

/** How files of `torch.save` begin: a zip archive, or, before PyTorch 1.6, a pickle of protocol 2. */
const TORCH_SAVE = [
  [0x50, 0x4b, 0x03, 0x04],
  [0x80, 0x02],
] as const;

/** Counts the batches of a BatchNorm; inference does not need it. */
const COUNTER = /(^|\.)num_batches_tracked$/;

/**
 * Reads the `state_dict` of a PyTorch model from a safetensors file. float64, float16 and bfloat16 become float32. The counters
 * `num_batches_tracked` of BatchNorm are left out.
 *
 * @param source name of the file, for messages
 * @returns tensors by PyTorch name, such as `features.0.weight`, in the layouts of PyTorch (see {@link fromStateDict})
 * @throws CertError `bad-file` for a damaged file, a file of `torch.save`, and a checkpoint of `cert`
 */
export function readStateDict(bytes: Uint8Array, source = 'the file'): FlatTensors {
  if (TORCH_SAVE.some((magic) => magic.every((byte, i) => bytes[i] === byte))) {
    throw new CertError(
      'bad-file',
      `${source} was written by torch.save, which stores Python objects.`,
      "Save the tensors as safetensors in Python: safetensors.torch.save_file(model.state_dict(), 'model.safetensors').",
    );
  }
  const { tensors, metadata } = decodeSafetensors(bytes, source);
  if (metadata.format?.startsWith('cert-checkpoint')) {
    throw new CertError(
      'bad-file',
      `${source} is a checkpoint of cert, not a state_dict of PyTorch.`,
      'Read it with decodeCheckpoint of @cert/models.',
    );
  }
  return Object.fromEntries(Object.entries(tensors).filter(([name]) => !COUNTER.test(name)));
}
