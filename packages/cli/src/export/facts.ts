import { createHash } from 'node:crypto';
import { type DataFacts, type RunConfig, radiusText } from '@cert/trainer/pipeline';
import { readRun } from '../runs/read-run.js';

/** Facts about a network, stored with an exported file. */
export type Facts = { readonly [key: string]: string };

/** The SHA-256 of a file, in hexadecimal. */
export const sha256Of = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** What a file says about where its network is from. */
export const fileFacts = (bytes: Uint8Array): Facts => ({ 'cert.source_sha256': sha256Of(bytes) });

/** What the inputs and outputs of a network mean, as lists of names in JSON. */
export const dataFacts = ({ classNames, rows }: Partial<DataFacts> = {}): Facts => ({
  ...(rows && { 'cert.features': JSON.stringify(rows.featureNames) }),
  ...(rows?.target && { 'cert.target': rows.target.name }),
  ...(classNames && { 'cert.classes': JSON.stringify(classNames) }),
});

/**
 * How a network was trained, with its errors on the test images where they are known: those of a finished run for the last checkpoint, those
 * of its epoch for the best one.
 *
 * @param checkpoint which one it is, if it is one of the run, and its metadata
 */
export async function trainingFacts(
  folder: string,
  config: RunConfig,
  { which, metadata }: { readonly which: 'last' | 'best' | undefined; readonly metadata: unknown },
): Promise<Facts> {
  const { preset, method, dataset, model, epsilon, seed } = config;
  const { epoch, errors } = which === 'last' ? await finished(folder) : bestOf(which === 'best' ? metadata : undefined);
  // The best epoch of a run with validation images was chosen on these.
  const on = which === 'best' && config.validation > 0 ? 'validation_' : '';
  const numbers = {
    ...{ epoch, test_images: errors.images, [`${on}standard_error`]: errors.standardError },
    ...{ pgd_error: errors.pgdError, [`${on}verified_error`]: errors.verifiedError },
  };
  const known = Object.entries(numbers).filter(([, value]) => typeof value === 'number' && Number.isFinite(value));
  const names = { preset, method, dataset, model, epsilon: radiusText(epsilon), seed };
  return Object.fromEntries(
    [...Object.entries(names), ...known].map(([name, value]) => [`cert.${name}`, String(value)]),
  );
}

/** What a checkpoint is known to have. */
interface Known {
  readonly epoch?: unknown;
  readonly errors: { readonly [name: string]: unknown };
}

/** The epochs of a finished run and its errors. Those of a run that is not finished may be of another state than its checkpoint. */
async function finished(folder: string): Promise<Known> {
  const { state, epoch, errors } = await readRun(folder);
  return state === 'finished' ? { epoch, errors: { ...errors } } : { errors: {} };
}

/** The epoch of a best checkpoint and its errors, which the checkpoint holds. */
function bestOf(metadata: unknown): Known {
  const { best } = (metadata ?? {}) as { readonly best?: { readonly [name: string]: unknown } | null };
  return { epoch: best?.epoch, errors: best ?? {} };
}
