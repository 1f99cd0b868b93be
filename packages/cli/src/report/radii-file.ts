import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Arithmetic } from '@cert/bounds';
import { parseJson } from '@cert/core';
import { writeFileAtomic } from '@cert/models/node';

/** The certified radius of one input. Plain data. */
export interface InputRadius {
  readonly index: number;
  readonly label: number;
  /** The class of the largest logit without perturbation; null if a logit is not finite. */
  readonly prediction: number | null;
  /** Whether the label has the largest logit, without a tie. */
  readonly correct: boolean;
  /** The largest verified radius; 0 where none was verified. */
  readonly radius: number;
  /** What verified it. */
  readonly verifiedBy: string | null;
  /** The smallest radius that was tried and not verified; null for none. */
  readonly unverified: number | null;
}

/** What determines radii. */
export interface RadiiSettings {
  /** SHA-256 of the checkpoint file. */
  readonly checkpoint: string;
  /** SHA-256 of the test data. */
  readonly data: string;
  readonly methods: readonly string[];
  readonly arithmetic: Arithmetic;
  /** Relative, of the bisection. */
  readonly tolerance: number;
  /** Seconds that a search may take at each radius; null where nothing searches. */
  readonly timeout: number | null;
  /** The perturbation set without its radius, as JSON; missing for the l-infinity ball in [0, 1]. */
  readonly perturbation?: string;
  /** The tolerance of a regression; missing for a classifier. */
  readonly delta?: number;
  /** Version of `@cert/verify` that computed them. */
  readonly version: string;
}

const FORMAT = 'cert-radii-1';

/** Where the radii of a checkpoint are kept. */
export const radiiFile = (folder: string, { checkpoint, ...others }: RadiiSettings): string => {
  const key = createHash('sha256').update(JSON.stringify(others)).digest('hex');
  return join(folder, 'radii', `${checkpoint.slice(0, 12)}-${key.slice(0, 8)}.json`);
};

/** The radii that a file holds, of the inputs 0 to N - 1; none where it is missing, damaged or of other settings. */
export async function readRadii(file: string, settings: RadiiSettings): Promise<readonly InputRadius[]> {
  try {
    const { format, inputs, ...found } = parseJson(await readFile(file, 'utf8')) as {
      readonly [name: string]: unknown;
    };
    if (format !== FORMAT || JSON.stringify(found) !== JSON.stringify(settings)) return [];
    return Array.isArray(inputs) && inputs.every(isRadius) ? inputs : [];
  } catch {
    return [];
  }
}

/** Replaces the file. @throws CertError `bad-file` when it cannot be written */
export const writeRadii = (file: string, settings: RadiiSettings, inputs: readonly InputRadius[]): Promise<void> =>
  writeFileAtomic(file, `${JSON.stringify({ format: FORMAT, ...settings, inputs })}\n`);

const isWhole = (value: unknown) => Number.isSafeInteger(value) && Number(value) >= 0;
const isSize = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value) && value >= 0;

/** Whether a value is what {@link writeRadii} writes at a place of the list, without contradiction. */
function isRadius(value: unknown, place: number): value is InputRadius {
  const { index, label, prediction, correct, radius, verifiedBy, unverified } = (value ?? {}) as Partial<InputRadius>;
  if (index !== place || !isWhole(label) || !(prediction === null || isWhole(prediction))) return false;
  if (!isSize(radius) || !(unverified === null || isSize(unverified))) return false;
  if (radius > 0 !== (typeof verifiedBy === 'string') || (correct === true && prediction !== label)) return false;
  if (typeof unverified === 'number' && unverified <= radius) return false;
  return typeof correct === 'boolean' && (correct || radius === 0);
}
