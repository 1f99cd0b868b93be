import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { CertError } from '@cert/core';
import { standardCatalog } from '@cert/trainer/pipeline';
import { templatePath } from './templates.js';
import { writeOutput } from './verify/output-file.js';
import { ownVersion } from './version.js';

/** The files that a new plug-in is made from; published beside `dist`. */
const TEMPLATE = templatePath('plugin/');

/** A name that npm takes, with a scope or without. */
const PACKAGE_NAME = /^(?:@[a-z0-9][\w.-]*\/)?[a-z0-9][a-z0-9._-]*$/;

/** What {@link newPlugin} wrote. */
export interface NewPlugin {
  readonly folder: string;
  /** What its method and its model are called: the name without scope and `cert-plugin-`. */
  readonly short: string;
  /** Paths in the folder. */
  readonly files: readonly string[];
}

/**
 * Writes a package with an op, a bound method, a model and tests.
 *
 * @param folder new or empty; default named after the package
 * @throws CertError `bad-argument` for a name that npm would not take or that is built in, or a folder that holds something
 */
export async function newPlugin(name: string, folder?: string): Promise<NewPlugin> {
  if (!PACKAGE_NAME.test(name)) {
    throw new CertError(
      'bad-argument',
      `The name of the plug-in is ${JSON.stringify(name)}.`,
      'Give a valid npm package name: lowercase letters, digits and dashes, such as cert-plugin-mine.',
    );
  }
  const bare = name.split('/').at(-1)!;
  const short = bare.replace(/^cert-plugin-/, '');
  const { methods, verifiers, models } = standardCatalog;
  const taken = [methods, verifiers, models].some((table) => Object.hasOwn(table, short));
  if (taken) {
    throw new CertError(
      'bad-argument',
      `The name "${short}" is already built in.`,
      'Choose another name for the plug-in.',
    );
  }
  const target = resolve(folder ?? bare);
  const found = await readdir(target).catch((): string[] => []);
  if (found.length > 0) {
    throw new CertError('bad-argument', `The folder ${target} is not empty.`, 'Choose another folder with --dir.');
  }
  const values: { readonly [key: string]: string } = { name, short, version: ownVersion() };
  const files: string[] = [];
  for (const entry of await readdir(TEMPLATE, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const source = join(entry.parentPath, entry.name);
    // npm leaves files called .gitignore out of packages, and tools take a package.json for one.
    const path = source
      .slice(TEMPLATE.length)
      .replace(/\.template$/, '')
      .replace(/^gitignore$/, '.gitignore');
    const text = await readFile(source, 'utf8');
    await writeOutput(
      join(target, path),
      text.replaceAll(/\{\{(\w+)\}\}/g, (_, key: string) => values[key]!),
    );
    files.push(path);
  }
  return { folder: target, short, files: files.sort() };
}
