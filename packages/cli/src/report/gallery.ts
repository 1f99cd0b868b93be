import type { Shape } from '@cert/core';
import { imagesOf, type Split } from '@cert/datasets';
import type { AdversarialExample, AttackedInput } from './adversarial.js';
import type { FoundEvaluation } from './evaluations.js';
import { differencePicture, picture } from './pictures.js';
import type { InputRadius } from './radii-file.js';

/** How an input ended. */
export type Ending = 'certified' | 'undecided' | 'broken' | 'misclassified';

/** An input of the gallery. Plain data. */
export interface GalleryEntry {
  readonly index: number;
  readonly label: number;
  readonly prediction: number | null;
  /** The largest verified radius; null where it was not computed. */
  readonly radius: number | null;
  /** What verified it, and the lower bound of the margin by that; null where nothing did. */
  readonly verifiedBy: string | null;
  readonly lower: number | null;
  /** PNG data URL; null for an input that is no image. */
  readonly picture: string | null;
  readonly values: readonly number[] | null;
  /** For a regression: the label and the prediction, null if it is not finite. Null for a classifier. */
  readonly output: { readonly target: number; readonly prediction: number | null } | null;
  readonly adversarial: {
    readonly prediction: number | null;
    /** For a regression: the number that is predicted. */
    readonly output: number | null;
    readonly by: string;
    readonly distance: number;
    readonly picture: string | null;
    readonly difference: string | null;
    readonly values: readonly number[] | null;
  } | null;
}

/** Inputs of each ending, the first ones by index. Plain data. */
export interface Gallery {
  readonly epsilon: number;
  /** Whether undecided and broken inputs are those of an evaluation; otherwise of the inputs whose radius was computed. */
  readonly evaluated: boolean;
  readonly endings: readonly {
    readonly ending: Ending;
    /** Of all that were looked at. */
    readonly total: number;
    readonly entries: readonly GalleryEntry[];
  }[];
}

/** Entries of each ending, at most. */
const ENTRIES = 6;

/** Inputs without a proof that are attacked where there is no evaluation, at most. */
const ATTACKED = 32;

/** Values of an input that a table shows, at most. */
export const SHOWN_VALUES = 64;

/** What {@link makeGallery} makes it of. */
export interface GalleryOptions {
  readonly split: Split;
  readonly range: { readonly min: number; readonly max: number } | null;
  readonly epsilon: number;
  readonly evaluation: FoundEvaluation | undefined;
  readonly radii: readonly InputRadius[];
  /** Attacks inputs. */
  readonly attack: (inputs: readonly AttackedInput[]) => Promise<ReadonlyMap<number, AdversarialExample>>;
  /** For a regression, whose inputs are rows followed by their labels: predicts the number of a row. Null for a classifier. */
  readonly predict: ((row: Float32Array) => Promise<number | null>) | null;
}

/** A gallery, and how every input ended that was looked at. */
export interface MadeGallery {
  readonly gallery: Gallery;
  /** By index. Without an evaluation, inputs without a proof that were not attacked are missing. */
  readonly endings: ReadonlyMap<number, Ending>;
}

/** How inputs ended, before pictures. */
type Ended = Pick<GalleryEntry, 'index' | 'label' | 'prediction' | 'verifiedBy' | 'lower'>;

/** Chooses inputs, finds their adversarial examples and draws them. */
export async function makeGallery(options: GalleryOptions): Promise<MadeGallery> {
  const { evaluation, radii, epsilon, split, attack } = options;
  const inputs = (ended: readonly Ended[]): readonly AttackedInput[] =>
    ended.map(({ index, label }) => ({ index, label, pixels: imagesOf(split, [index]).images }));
  const endings =
    evaluation === undefined
      ? await withoutEvaluation(radii, epsilon, (ended) => attack(inputs(ended)))
      : await withEvaluation(evaluation, (ended) => attack(inputs(ended)));
  const drawn: Gallery['endings'][number][] = [];
  for (const { ending, all, found } of endings) {
    const entries: GalleryEntry[] = [];
    for (const each of all.slice(0, ENTRIES)) entries.push(await entryOf(each, found.get(each.index), options));
    drawn.push({ ending, total: all.length, entries });
  }
  return {
    gallery: { epsilon, evaluated: evaluation !== undefined, endings: drawn },
    endings: new Map(endings.flatMap(({ ending, all }) => all.map(({ index }) => [index, ending] as const))),
  };
}

interface EndedInputs {
  readonly ending: Ending;
  readonly all: readonly Ended[];
  readonly found: ReadonlyMap<number, AdversarialExample>;
}

type FindFor = (ended: readonly Ended[]) => Promise<ReadonlyMap<number, AdversarialExample>>;

const NOTHING: ReadonlyMap<number, AdversarialExample> = new Map();

async function withEvaluation({ results }: FoundEvaluation, find: FindFor): Promise<readonly EndedInputs[]> {
  const of = (ending: Ending): readonly Ended[] =>
    results
      .filter((result) => endingOf(result) === ending)
      .map(({ index, label, prediction, verifiedBy, lower }) => ({
        ...{ index, label, prediction, verifiedBy },
        lower: verifiedBy === null ? largest(Object.values(lower)) : (lower[verifiedBy] ?? null),
      }));
  const broken = of('broken');
  return [
    { ending: 'certified', all: of('certified'), found: NOTHING },
    { ending: 'undecided', all: of('undecided'), found: NOTHING },
    { ending: 'broken', all: broken, found: await find(broken.slice(0, ENTRIES)) },
    { ending: 'misclassified', all: of('misclassified'), found: NOTHING },
  ];
}

function endingOf({ margin, attack, verifiedBy }: FoundEvaluation['results'][number]): Ending {
  if (verifiedBy !== null) return 'certified';
  if (!(margin !== null && margin > 0)) return 'misclassified';
  return attack?.found ? 'broken' : 'undecided';
}

const largest = (values: readonly (number | null)[]): number | null => {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : Math.max(...known);
};

async function withoutEvaluation(
  radii: readonly InputRadius[],
  epsilon: number,
  find: FindFor,
): Promise<readonly EndedInputs[]> {
  const plain = radii.map(({ radius: _, correct, unverified, ...rest }) => ({ ...rest, lower: null }));
  const where = (holds: (row: InputRadius) => boolean): readonly Ended[] => plain.filter((_, i) => holds(radii[i]!));
  const open = where(({ correct, radius }) => correct && radius < epsilon).slice(0, ATTACKED);
  const found = await find(open);
  return [
    { ending: 'certified', all: where(({ correct, radius }) => correct && radius >= epsilon), found: NOTHING },
    { ending: 'undecided', all: open.filter(({ index }) => !found.has(index)), found: NOTHING },
    { ending: 'broken', all: open.filter(({ index }) => found.has(index)), found },
    { ending: 'misclassified', all: where(({ correct }) => !correct), found: NOTHING },
  ];
}

async function entryOf(
  ended: Ended,
  example: AdversarialExample | undefined,
  { split, range, radii, epsilon, predict }: GalleryOptions,
): Promise<GalleryEntry> {
  const { images: pixels } = imagesOf(split, [ended.index]);
  const { shape } = split;
  const scale = range ?? extent(pixels);
  const features = (values: Float32Array) => (predict === null ? values : values.slice(0, -1));
  const output = async (values: Float32Array) => (predict === null ? null : predict(features(values)));
  return {
    ...ended,
    radius: radii[ended.index]?.radius ?? null,
    picture: picture(pixels, shape, scale),
    values: valuesOf(features(pixels), shape),
    output: predict === null ? null : { target: pixels.at(-1)!, prediction: await output(pixels) },
    adversarial:
      example === undefined
        ? null
        : {
            ...{ prediction: example.prediction, by: example.by, distance: example.distance },
            output: await output(example.values),
            picture: picture(example.values, shape, scale),
            difference: differencePicture(pixels, example.values, shape, epsilon),
            values: valuesOf(features(example.values), shape),
          },
  };
}

/** The first values of an input that is no image. */
const valuesOf = (values: Float32Array, shape: Shape): readonly number[] | null =>
  picture(values, shape, null) === null ? Array.from(values.subarray(0, SHOWN_VALUES)) : null;

const extent = (values: Float32Array) => ({ min: Math.min(...values), max: Math.max(...values) });
