import type { Arithmetic } from '@cert/bounds';
import type { Perturbation } from '@cert/core';
import type { Device } from '@cert/jit';
import { disposeTree, putParams } from '@cert/jit';
import { type Catalog, type RunConfig, searchVerifiers } from '@cert/trainer/pipeline';
import { type Attack, autoAttack, createPointCertifier, pgd } from '@cert/verify';
import { perturbationSetting, VERSION } from '@cert/verify/node';
import { findAdversarial } from './adversarial.js';
import { certifiedRadii } from './certified-radii.js';
import type { FoundEvaluation } from './evaluations.js';
import { type Ending, makeGallery } from './gallery.js';
import { createValuer, type Valuer } from './output-intervals.js';
import type { Values } from './regression.js';
import type { Computed, ComputeInput } from './report-run.js';

/** How radii are computed. */
export interface ComputeOptions {
  readonly catalog: Catalog;
  /** Test inputs whose radius is computed, the first ones; 0 for none. */
  readonly limit: number;
  readonly methods: readonly string[];
  readonly arithmetic: Arithmetic;
  readonly tolerance: number;
  /** Seconds for each radius, of methods that search. */
  readonly timeout: number;
  readonly openDevice: (config: RunConfig) => Promise<Device>;
  readonly onProgress: (done: number, of: number, before: number) => void;
  readonly signal: AbortSignal;
}

/** Computes certified radii and the gallery of a run, and of a regression output intervals. */
export async function computeParts(input: ComputeInput, options: ComputeOptions): Promise<Computed> {
  const { folder, config, checkpoint, network, data, evaluated, delta, dataHash, evaluation, epsilon } = input;
  const { catalog, limit, methods, arithmetic, tolerance, signal, onProgress } = options;
  const { range } = data;
  const { model, perturbation, test: split } = evaluated;
  const { natural } = catalog.rules;
  const device = await options.openDevice(config);
  const searches = searchVerifiers({ timeout: options.timeout, rules: catalog.rules });
  const weights = {
    params: putParams(device, { ...network.params, ...evaluated.params }),
    stats: putParams(device, network.stats),
  };
  const setting = { device, weights, natural, arithmetic, signal };
  const certifier = createPointCertifier({
    ...{ ...setting, model, perturbation },
    verifiers: methods.map((name) => searches[name] ?? catalog.verifiers[name]!),
  });
  // Searches decide, and leave an interval wide: without another method, IBP bounds it.
  const bounding = methods.filter((name) => !(name in searches));
  const bounds = bounding.length === 0 ? ['ibp'] : bounding;
  const valuer =
    delta === null
      ? null
      : createValuer({
          ...{ ...setting, model: network.model, perturbation: input.perturbation, unit: data.target?.std ?? delta },
          verifiers: bounds.map((name) => catalog.verifiers[name]!),
        });
  const own = {
    methods,
    arithmetic,
    tolerance,
    timeout: methods.some((name) => name in searches) ? options.timeout : null,
    ...(delta !== null && { delta }),
  };
  try {
    const set = perturbationSetting(perturbation);
    const settings = {
      ...{ checkpoint, data: dataHash, ...own },
      ...(set && { perturbation: JSON.stringify(set) }),
      version: VERSION,
    };
    const inputs =
      limit === 0
        ? []
        : await certifiedRadii({
            folder,
            split,
            limit,
            settings,
            start: config.epsilon,
            certifier,
            onProgress,
            signal,
          });
    const { gallery, endings } = await makeGallery({
      ...{ split, range, epsilon, evaluation, radii: inputs, predict: valuer === null ? null : valuer.predict },
      attack: (attacked) =>
        findAdversarial(attacked, {
          ...{ device, model, weights, perturbation: { ...perturbation, epsilon }, natural, certifier, signal },
          // Attacks search boxes; points between categories are no inputs.
          attacks: hasCategories(perturbation) ? [] : attacksOf(evaluation, config),
        }),
    });
    return {
      radii: inputs.length === 0 ? null : { ...own, inputs },
      gallery: gallery.endings.every(({ total }) => total === 0) ? null : gallery,
      values:
        valuer === null || limit === 0
          ? null
          : { ...{ methods: bounds, arithmetic }, rows: await valuesOf(valuer, input, limit, endings) },
    };
  } finally {
    await valuer?.dispose();
    await certifier.dispose();
    disposeTree(weights);
    await device.dispose();
  }
}

/** The predictions of the first rows, with their intervals and how the rows ended. */
async function valuesOf(
  valuer: Valuer,
  { data, epsilon }: ComputeInput,
  limit: number,
  endings: ReadonlyMap<number, Ending>,
): Promise<Values['rows']> {
  const rows = await valuer.values(data.test, limit, epsilon);
  return rows.map((row) => ({ ...row, ending: endings.get(row.index) ?? 'undecided' }));
}

const hasCategories = (set: Perturbation) => set.kind === 'linf' && set.categories.length > 0;

/** The attacks of an evaluation; without one, the attack of the run. */
function attacksOf(evaluation: FoundEvaluation | undefined, config: RunConfig): readonly Attack[] {
  const { attack } = evaluation?.settings ?? {};
  if (attack == null) {
    return [pgd({ steps: config.attackSteps, restarts: Math.max(1, config.attackRestarts), seed: config.seed })];
  }
  if (!('attacks' in attack)) return [pgd(attack)];
  return autoAttack({ seed: attack.seed }).filter(({ name }) => attack.attacks.includes(name));
}
