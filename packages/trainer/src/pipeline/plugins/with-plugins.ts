import { extendRules, type RulesByOp } from '@cert/bounds';
import { CertError } from '@cert/core';
import { boundMethodsOf, type Catalog, standardCatalog, verifiersOf } from '../catalog/catalog.js';
import type { Table } from '../catalog/entry.js';
import { METHODS } from '../config/methods.js';
import { optionsOf } from '../config/options.js';
import type { PluginRecord, RunConfig } from '../config/run-config.js';
import { checkPlugin, type Plugin } from './plugin.js';

/** A plug-in and its location. */
export interface LoadedPlugin {
  /** The plug-in that the module exports. */
  readonly plugin: Plugin;
  /** The name of its package, or the absolute path of a folder or file; null for one that was passed in as a value. */
  readonly module: string | null;
  /** Version of the package; null if unknown. */
  readonly version: string | null;
}

/**
 * Returns a catalog of everything built in and the given plug-ins. The order of plug-ins does not matter, and nothing is registered
 * globally.
 *
 * @throws CertError `bad-argument` for a malformed plug-in, and for a duplicate name or option, naming both owners
 */
export const withPlugins = (plugins: readonly Plugin[]): Catalog =>
  withLoaded(plugins.map((plugin) => ({ plugin: checkPlugin(plugin, 'withPlugins'), module: null, version: null })));

/** {@link withPlugins} for plug-ins with a location. */
export function withLoaded(loaded: readonly LoadedPlugin[]): Catalog {
  const plugins = loaded.map(({ plugin }) => plugin);
  const names = claim('plug-in', {});
  for (const plugin of plugins) names(plugin, [plugin.name]);
  /** A part of the plug-ins as one table. `builtIn` names are taken. */
  const joined = <T>(kind: string, pick: (plugin: Plugin) => Table<T> | undefined, builtIn: object): Table<T> => {
    const claimed = claim(kind, builtIn);
    return Object.assign(
      {},
      ...plugins.map((plugin) => {
        const table = pick(plugin) ?? {};
        claimed(plugin, Object.keys(table));
        return table;
      }),
    );
  };
  const standard = standardCatalog;
  const ops: RulesByOp = joined('op', (plugin) => plugin.ops, standard.rules.natural.rules);
  const rules = extendRules(standard.rules, ops);
  const bounds = joined('bound method', (p) => p.boundMethods, { ...standard.boundMethods, ...standard.verifiers });
  const trained = joined('method', trainingMethods, standard.methods);
  const catalog: Catalog = {
    plugins: loaded.map(({ plugin, module, version }): PluginRecord => ({ name: plugin.name, module, version })),
    rules,
    methods: { ...standard.methods, ...trained },
    boundMethods: { ...boundMethodsOf(rules), ...bounds },
    verifiers: verifiersOf(rules, bounds),
    objectives: { ...standard.objectives, ...joined('objective', (p) => p.objectives, standard.objectives) },
    regularizers: { ...standard.regularizers, ...joined('regularizer', (p) => p.regularizers, standard.regularizers) },
    models: { ...standard.models, ...joined('model', (p) => p.models, standard.models) },
    datasets: { ...standard.datasets, ...joined('dataset', (p) => p.datasets, standard.datasets) },
    initializers: {
      ...standard.initializers,
      ...joined('initialization', (p) => p.initializers, standard.initializers),
    },
    optimizers: { ...standard.optimizers, ...joined('optimizer', (p) => p.optimizers, standard.optimizers) },
  };
  // Refuses two different options of one name.
  optionsOf(catalog);
  return catalog;
}

/** The training methods of a plug-in: its own, and for every bound method plain training with it. */
const trainingMethods = ({ boundMethods = {}, methods = {} }: Plugin): Table<Partial<RunConfig>> => ({
  ...Object.fromEntries(Object.keys(boundMethods).map((bound) => [bound, { ...METHODS.vanilla, bound }])),
  ...methods,
});

/** Lets every name of a kind be taken once. */
function claim(kind: string, builtIn: object): (plugin: Plugin, names: readonly string[]) => void {
  const owners = new Map<string, string>();
  return ({ name: plugin }, names) => {
    for (const name of names) {
      const owner = Object.hasOwn(builtIn, name) ? 'is already built in' : owners.get(name);
      if (owner !== undefined) {
        throw new CertError(
          'bad-argument',
          `The plug-in "${plugin}" adds the ${kind} "${name}", which ${owner}.`,
          kind === 'plug-in'
            ? 'Leave out or rename one of the plug-ins.'
            : `Rename the ${kind} in the plug-in, or leave the plug-in out.`,
        );
      }
      owners.set(name, `the plug-in "${plugin}" also adds`);
    }
  };
}
