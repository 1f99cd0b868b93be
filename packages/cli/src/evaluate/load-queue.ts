import { CertError } from '@cert/core';
import type * as queue from '@cert/queue';

/** The package of the queue, which is installed by whoever uses one. @throws CertError `missing-package` */
export async function loadQueue(): Promise<typeof queue> {
  try {
    return await import('@cert/queue');
  } catch (cause) {
    throw new CertError(
      'missing-package',
      'A queue needs the package @cert/queue, which is not installed or does not load.',
      'Install the package: npm install @cert/queue',
      { cause },
    );
  }
}
