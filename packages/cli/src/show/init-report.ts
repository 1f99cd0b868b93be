import { type Rules, standardRules } from '@cert/bounds';
import { countParams, type Model, type Params, type Perturbation, sizeOf, type Tensor } from '@cert/core';
import { expectedGains, type GainRow, gainRows, type Initializer, meanRadii } from '@cert/init';
import { type Device, disposeTree, putParams, turn } from '@cert/jit';
import { formatTable, type TableFormat } from './format-table.js';

/** What one initialization does to the bounds of a model. Plain data. */
export interface InitLine {
  readonly name: string;
  /** Means over the seeds; the gain is the ratio of the means. */
  readonly layers: readonly GainRow[];
  /** The mean radii of each seed alone. */
  readonly bySeed: readonly (readonly number[])[];
}

/** How initializations compare on a model. Plain data. */
export interface InitReport {
  readonly parameters: number;
  readonly images: number;
  readonly epsilon: number;
  readonly seeds: readonly number[];
  readonly inits: readonly InitLine[];
}

/** Options of {@link compareInits}. */
export interface InitOptions {
  readonly device: Device;
  readonly model: Model;
  readonly inits: { readonly [name: string]: Initializer };
  readonly seeds: readonly number[];
  /** Images to put boxes around, row-major [count, ...inputShape] in the range. */
  readonly images: Float32Array;
  readonly perturbation: Perturbation;
  /** Default: those of the built-in ops. */
  readonly rules?: Rules;
  /** Called before each measurement with the number of those that are done. */
  readonly onProgress?: (done: number, init: string, seed: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * The mean radius of IBP's bounds from layer to layer for each initialization: means over images, neurons and seeds. BatchNorm
 * takes the statistics of the images, as in training.
 */
export async function compareInits(options: InitOptions): Promise<InitReport> {
  const { device, model, seeds, perturbation, rules = standardRules, signal } = options;
  const { epsilon } = perturbation;
  const count = options.images.length / sizeOf(model.inputShape);
  const images = device.put(options.images, [count, ...model.inputShape]);
  const { ibp: method, natural } = rules;
  const measure = device.jit((params: Params, x: Tensor) =>
    meanRadii(model, params, x, { epsilon, perturbation, method, natural }),
  );
  const inits: InitLine[] = [];
  let done = 0;
  try {
    for (const [name, initialize] of Object.entries(options.inits)) {
      const reports: GainRow[][] = [];
      for (const seed of seeds) {
        options.onProgress?.(done++, name, seed);
        await turn();
        signal?.throwIfAborted();
        const drawn = initialize(model, seed);
        const expected = expectedGains(model, drawn);
        const params = putParams(device, drawn);
        const radii = await measure(params, images);
        reports.push(gainRows(model, await radii.data(), expected));
        disposeTree([params, radii]);
      }
      const bySeed = reports.map((rows) => rows.map(({ meanRadius }) => meanRadius));
      inits.push({ name, layers: averaged(reports), bySeed });
    }
  } finally {
    images.dispose();
    await measure.dispose();
  }
  return { parameters: countParams(model), images: count, epsilon, seeds, inits };
}

/** The report of the mean radii over the seeds. */
function averaged(reports: readonly (readonly GainRow[])[]): GainRow[] {
  const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  const radii = reports[0]!.map((_, i) => mean(reports.map((rows) => rows[i]!.meanRadius)));
  return reports[0]!.map(({ node, expected }, i) => ({
    node,
    meanRadius: radii[i]!,
    gain: i === 0 ? null : radii[i]! / radii[i - 1]!,
    expected: expected === null ? null : mean(reports.map((rows) => rows[i]!.expected!)),
  }));
}

/** The report as two tables of text, a column for each initialization: mean radii, and gains with the expected ones. */
export function formatInitReport({ inits }: InitReport, format: TableFormat = {}): string {
  const nodes = inits[0]!.layers.map(({ node }) => node);
  const table = (title: string, cell: (row: GainRow) => string) =>
    formatTable(
      [
        [title, ...inits.map(({ name }) => name)],
        ...nodes.map((node, i) => [node, ...inits.map(({ layers }) => cell(layers[i]!))]),
      ],
      format,
    );
  const digits = (value: number) => value.toPrecision(3);
  const gain = ({ gain, expected }: GainRow) =>
    gain === null ? '' : `${digits(gain)} (${expected === null ? '-' : digits(expected)})`;
  return [table('mean radius', ({ meanRadius }) => digits(meanRadius)), table('gain (expected)', gain)].join('\n\n');
}
