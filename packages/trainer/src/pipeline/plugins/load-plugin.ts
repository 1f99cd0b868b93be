import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { CertError } from '@cert/core';
import { moduleResolve } from 'import-meta-resolve';
import { checkPlugin } from './plugin.js';
import type { LoadedPlugin } from './with-plugins.js';

/**
 * Loads a plug-in: the default export of a module, or its export `plugin`.
 *
 * @param module package name, resolved from `from`; or path of a folder or file, absolute or starting with a dot
 * @param from a folder; default: the current folder
 * @throws CertError `missing-package` if the plug-in is not found, `bad-argument` if it fails to load, is malformed, or loads a second
 * TensorFlow.js
 */
export async function loadPlugin(module: string, from = process.cwd()): Promise<LoadedPlugin> {
  const isPath = module.startsWith('.') || isAbsolute(module);
  const place = isPath ? resolve(from, module) : module;
  const entry = isPath ? entryOf(place) : resolvePackage(module, from);
  checkInstances(module, entry);
  const plugin = checkPlugin(exported(module, await importModule(module, entry)), module);
  return { plugin, module: place, version: versionOf(entry) };
}

/** The file that stands for a path. */
function entryOf(path: string): string {
  if (!existsSync(path)) {
    throw notFound(
      `${path} does not exist`,
      'Give the folder or file of a plug-in, or the name of an installed package.',
    );
  }
  const real = realpathSync(path);
  if (statSync(real).isFile()) return real;
  const { name, main, exports } = readManifest(join(real, 'package.json')) ?? {};
  const file =
    exports !== undefined && typeof name === 'string'
      ? tryResolve(name, join(real, 'package.json'))
      : join(real, typeof main === 'string' ? main : 'index.js');
  if (file === undefined || !existsSync(file)) {
    throw notFound(
      `The plug-in in ${path} has no ${file ?? 'module to import'}`,
      'Build the plug-in (npm run build), or correct "exports" in its package.json.',
    );
  }
  return file;
}

function resolvePackage(name: string, from: string): string {
  try {
    return fileURLToPath(moduleResolve(name, pathToFileURL(join(from, 'package.json')), CONDITIONS));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    // A package that is there but whose file is not says "Cannot find module".
    const installed = !reason.startsWith('Cannot find package');
    throw notFound(
      `The plug-in "${name}" was not found from ${from}: ${reason}`,
      installed
        ? 'Build or install the plug-in again.'
        : `Install it in that folder (npm install ${name}). To give a path, start it with a dot: ./${name}.`,
      cause,
    );
  }
}

/** The conditions of `exports` that an import in Node.js has. */
const CONDITIONS = new Set(['node', 'import', 'module-sync']);

const notFound = (problem: string, cure: string, cause?: unknown) =>
  new CertError('missing-package', `${problem.replace(/\.$/, '')}.`, cure, cause === undefined ? undefined : { cause });

/** Where a module is, seen from a file; `undefined` where there is none. */
function tryResolve(specifier: string, from: string): string | undefined {
  try {
    return fileURLToPath(moduleResolve(specifier, pathToFileURL(from), CONDITIONS));
  } catch {
    return undefined;
  }
}

/** What a plug-in must share with the command: tensors of one instance are nothing to another. */
const SHARED = ['@cert/core', '@tensorflow/tfjs-core'];

/** @throws CertError `bad-argument` when the plug-in would load other instances than the command has */
function checkInstances(module: string, entry: string): void {
  const own = fileURLToPath(import.meta.url);
  // TensorFlow.js is a dependency of @cert/core alone: not every package manager lets this package see it.
  const core = tryResolve('@cert/core/package.json', own) ?? own;
  for (const name of SHARED) {
    const [ours, theirs] = [name === '@cert/core' ? own : core, entry].map((from) =>
      tryResolve(`${name}/package.json`, from),
    );
    if (ours === undefined || theirs === undefined || ours === theirs) continue;
    const [used, brought] = [ours, theirs].map((file) => String(readManifest(file)?.version));
    const [major, other] = [used, brought].map((version) => version?.split('.')[0]);
    throw new CertError(
      'bad-argument',
      `The plug-in ${module} ${major === other ? `loads a second copy of ${name}` : `needs another major version of ${name}`}: ${brought} in ${dirname(theirs)}, while cert uses ${used} in ${dirname(ours)}.`,
      `A plug-in must import tf from @cert/core and list @cert/core in its peerDependencies. Install the plug-in in the same project as cert: npm install ${isAbsolute(module) || module.startsWith('.') ? `--install-links ${module}` : module}.`,
    );
  }
}

async function importModule(module: string, entry: string): Promise<{ readonly [name: string]: unknown }> {
  try {
    return await import(/* @vite-ignore */ pathToFileURL(entry).href);
  } catch (cause) {
    if (cause instanceof CertError) throw cause;
    throw new CertError(
      'bad-argument',
      `The plug-in ${module} failed to load: ${cause instanceof Error ? cause.message : String(cause)}`,
      'Correct the plug-in, or install its missing dependencies.',
      { cause },
    );
  }
}

/** The export that is the plug-in. */
function exported(module: string, exports: { readonly [name: string]: unknown }): unknown {
  const value = exports.default ?? exports.plugin;
  if (value !== undefined) return value;
  const names = Object.keys(exports).sort();
  throw new CertError(
    'bad-argument',
    `The plug-in ${module} exports ${names.length > 0 ? names.join(', ') : 'nothing'}, but neither a default nor "plugin".`,
    'Export the plug-in as the default: export default { name: "my-plugin", boundMethods: { ... } }.',
  );
}

interface Manifest {
  readonly [field: string]: unknown;
}

/** A package.json; `undefined` where there is none that can be read. */
function readManifest(file: string): Manifest | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

/** The version of the package that a file belongs to. */
function versionOf(file: string): string | null {
  const folder = dirname(file);
  const { name, version } = readManifest(join(folder, 'package.json')) ?? {};
  if (name !== undefined) return typeof version === 'string' ? version : null;
  return folder === dirname(folder) ? null : versionOf(folder);
}
