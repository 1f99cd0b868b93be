import { createRequire } from 'node:module';
import { CertError } from '@cert/core';
import type * as queue from '@cert/queue';
import { ownVersion } from '../version.js';

/**
 * The package of the queue, which is installed by whoever uses one. All packages of a release have one version.
 *
 * @param load default `import('@cert/queue')`
 * @throws CertError `missing-package` if it is not there, or of another version
 */
export async function loadQueue(
  load: () => Promise<typeof queue> = () => import('@cert/queue'),
): Promise<typeof queue> {
  const fail = (problem: string, cause?: unknown) =>
    new CertError('missing-package', problem, `Install the package: npm install @cert/queue@${ownVersion()}`, {
      cause,
    });
  const loaded = await load().catch((cause: unknown) => {
    throw fail('A queue needs the package @cert/queue, which is not installed or does not load.', cause);
  });
  const { version } = createRequire(import.meta.url)('@cert/queue/package.json');
  if (version === ownVersion()) return loaded;
  throw fail(`@cert/queue has the version ${version}, but @cert/cli ${ownVersion()}.`);
}
