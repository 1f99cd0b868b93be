import { CertError } from '@cert/core';
import type { Instance } from './instances.js';

/**
 * Returns the text of an `instances.csv` file of VNN-COMP: one line `onnx,vnnlib,timeout` for each instance, without a header.
 *
 * @param instances paths are relative to the folder of the file; timeouts in seconds
 * @throws CertError `bad-argument` for a path that is empty and for a timeout that is not positive
 */
export function writeInstances(instances: readonly Pick<Instance, 'onnx' | 'vnnlib' | 'timeout'>[]): string {
  const lines = instances.map(({ onnx, vnnlib, timeout }, i) => {
    if (onnx === '' || vnnlib === '' || !(timeout > 0 && timeout < 1e9)) {
      throw new CertError(
        'bad-argument',
        `Instance ${i} is ${JSON.stringify({ onnx, vnnlib, timeout })}.`,
        'Give the paths of both files and a timeout of more than 0 seconds.',
      );
    }
    return `${quoted(onnx)},${quoted(vnnlib)},${timeout}\n`;
  });
  return lines.join('');
}

/** A field that holds more than a plain path in quotes, with its own quotes doubled. */
const quoted = (field: string): string => (/^[^",\r\n\s]+$/.test(field) ? field : `"${field.replaceAll('"', '""')}"`);
