import { join } from 'node:path';
import { makeFolder, writeFileAtomic } from '@cert/models/node';
import type { Spec } from 'vega';
import { renderSvg } from '../plots/render.js';

/**
 * Writes what a diagnosis found into a folder: `<name>.json` and the figure `<name>.svg`. Files of these names are replaced.
 *
 * @throws CertError `bad-file` when they cannot be written
 */
export async function saveDiagnosis(folder: string, name: string, report: object, figure: Spec): Promise<void> {
  const svg = await renderSvg(figure);
  await makeFolder(folder);
  await writeFileAtomic(join(folder, `${name}.json`), `${JSON.stringify(report, null, 2)}\n`);
  await writeFileAtomic(join(folder, `${name}.svg`), svg);
}
