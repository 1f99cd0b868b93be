import { CertError, type HostParams } from '@cert/core';

/**
 * Refuses to write weights that are NaN or infinite.
 *
 * @param when what was done to them, for the message; default nothing
 * @throws CertError `not-finite` naming the first such weight
 */
export function checkFinite(weights: HostParams, when = ''): void {
  for (const [node, tensors] of Object.entries(weights)) {
    for (const [name, { data }] of Object.entries(tensors)) {
      const at = data.findIndex((value) => !Number.isFinite(value));
      if (at < 0) continue;
      throw new CertError(
        'not-finite',
        `"${node}.${name}" has ${data[at]} at ${at}${when}.`,
        'Export a checkpoint whose weights are finite, such as an earlier one.',
      );
    }
  }
}
