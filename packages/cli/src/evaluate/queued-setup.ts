import { CertError, describeValue } from '@cert/core';
import {
  asChoices,
  type Catalog,
  type Choices,
  canonicalName,
  checkField,
  choose,
  fieldsOf,
  type RunConfig,
  resolveConfig,
  searchVerifiers,
} from '@cert/trainer/pipeline';
import { ATTACKS } from '../commands/attacks.js';
import { ARITHMETICS } from '../commands/read-arithmetic.js';
import { ownVersion } from '../version.js';
import type { EvaluationSetup } from './evaluation-setup.js';
import { ofTheEvaluation } from './read-evaluation.js';

/** What a queue carries of an evaluation besides its settings. Plain JSON. */
export interface QueuedSetup extends Omit<EvaluationSetup, 'config'> {
  /** Of the `cert` that submitted it: another version may compute other digits. */
  readonly version: string;
  /** The plug-ins of the submission, whose names the evaluation may need. */
  readonly plugins: readonly { readonly name: string; readonly version: string | null }[];
  /** The fields of the configuration that an evaluation depends on, with all options of the dataset. */
  readonly choices: Choices;
}

/** What is put into the queue. */
export const queuedSetup = (asked: EvaluationSetup, catalog: Catalog): QueuedSetup => ({
  version: ownVersion(),
  plugins: catalog.plugins.map(({ name, version }) => ({ name, version })),
  choices: choicesOf(asked.config, catalog),
  ...{ methods: asked.methods, attack: asked.attack, arithmetic: asked.arithmetic, complete: asked.complete },
  ...(asked.timeout !== undefined && { timeout: asked.timeout }),
});

function choicesOf(config: RunConfig, catalog: Catalog): Choices {
  const values: { readonly [name: string]: unknown } = { ...config.options, ...config };
  const chosen = Object.entries(fieldsOf(catalog)).flatMap(([name, any]) => {
    const used = any.owners.length === 0 || any.owners.some(({ name: owner }) => owner === config.dataset);
    return used && ofTheEvaluation(name, any) ? [[name, values[name] ?? any.field.default] as const] : [];
  });
  return asChoices(Object.fromEntries(chosen));
}

/**
 * Reads what a queue carries. Nothing of it is run: names are looked up in the catalog, and values are checked.
 *
 * @throws CertError `bad-argument` for another version of `cert`, unknown names and values outside their domains
 */
export function readQueuedSetup(setup: { readonly [name: string]: unknown }, catalog: Catalog): EvaluationSetup {
  const { version, plugins, choices, methods, attack, arithmetic, complete, timeout } = setup;
  checkVersion(version);
  const level = ARITHMETICS.find((each) => each === arithmetic);
  const known =
    Array.isArray(plugins) &&
    Array.isArray(methods) &&
    methods.every((name) => typeof name === 'string') &&
    typeof attack === 'string' &&
    level !== undefined &&
    typeof complete === 'boolean' &&
    (timeout === undefined || (typeof timeout === 'number' && timeout > 0)) &&
    typeof choices === 'object' &&
    choices !== null;
  if (!known) {
    throw new CertError(
      'bad-argument',
      'The evaluation in the queue is not one that cert queue submit writes.',
      'Remove it with cert queue remove, and submit it again.',
    );
  }
  for (const plugin of plugins) checkPlugin(plugin, catalog);
  const { verifiers, rules } = catalog;
  const all = { ...searchVerifiers({ rules }), ...verifiers };
  for (const name of methods) choose('bound method', name, all);
  choose('attack', canonicalName(attack, Object.keys(ATTACKS)), ATTACKS);
  return {
    config: resolveConfig(checkedChoices(choices, catalog), catalog),
    ...{ methods, attack, arithmetic: level, complete },
    ...(timeout !== undefined && { timeout }),
  };
}

/** @throws CertError `bad-argument` for another version than this one */
export function checkVersion(version: unknown): void {
  if (version === ownVersion()) return;
  throw new CertError(
    'bad-argument',
    `The work was submitted by cert ${describeValue(version)}, but this is version ${ownVersion()}.`,
    'Install the same version of @cert/cli and @cert/queue on all machines.',
  );
}

/** @throws CertError `bad-argument` for a plug-in of the submission that this machine lacks, or has in another version */
function checkPlugin(plugin: unknown, { plugins }: Catalog): void {
  const { name, version } = (plugin ?? {}) as { readonly name?: unknown; readonly version?: unknown };
  const own = plugins.find((each) => each.name === name);
  if (own !== undefined && own.version === version) return;
  throw new CertError(
    'bad-argument',
    `The evaluation needs the plug-in ${describeValue(name)}, version ${describeValue(version)}, but this worker has ${own === undefined ? 'none of this name' : `version ${own.version}`}.`,
    'Install it, and start the worker with --plugin MODULE.',
  );
}

/** @throws CertError `bad-argument` for a field that no evaluation has, and for a value outside its domain */
function checkedChoices(choices: object, catalog: Catalog): Choices {
  const { options = {}, ...others } = choices as { readonly options?: object };
  const fields = fieldsOf(catalog);
  const values = Object.entries({ ...others, ...options });
  for (const [name, value] of values) {
    const any = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (any === undefined || !ofTheEvaluation(name, any)) {
      throw new CertError(
        'bad-argument',
        `The evaluation in the queue sets ${describeValue(name)}, which this worker does not know.`,
        'If a plug-in has this option, give the worker the plug-in: --plugin MODULE.',
      );
    }
    checkField(name, any.field, value, catalog);
  }
  return asChoices(Object.fromEntries(values));
}
