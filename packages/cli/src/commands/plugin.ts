import { relative } from 'node:path';
import { type AnyField, fieldsOf, loadPlugin, optionName, PARTS, withLoaded } from '@cert/trainer/pipeline';
import type { Command } from 'commander';
import { newPlugin } from '../new-plugin.js';
import type { Terminal } from '../terminal.js';

/** Makes `cert plugin`: make one, look at one. */
export function addPlugin(plugin: Command, terminal: Terminal): void {
  plugin
    .command('new')
    .description('create a plug-in package with an op, a bound method, a model and passing tests')
    .argument('<name>', 'name of the package')
    .option('--dir <folder>', 'new or empty folder (default: named after the package)')
    .action(async (name: string, { dir }: { dir?: string }) => {
      const { folder, short, files } = await newPlugin(name, dir);
      const place = relative(process.cwd(), folder) || '.';
      terminal.out(
        [
          `${files.length} files in ${place}: ${files.join(', ')}`,
          '',
          ...(place === '.' ? [] : [`  cd ${place}`]),
          '  npm install',
          '  npm test',
          `  npx cert train --plugin . --model ${short} --method ${short} --epochs 3 --limit 500`,
        ].join('\n'),
      );
    });
  plugin
    .command('show')
    .description('load and check a plug-in and list what it adds')
    .argument('<module>', 'package name, or path that starts with a dot')
    .action(async (module: string) => {
      const loaded = await loadPlugin(module);
      const fields = Object.entries(fieldsOf(withLoaded([loaded])));
      const tables: { readonly [part: string]: unknown } = { ...loaded.plugin };
      const rows = Object.keys(PARTS).flatMap((part) => {
        const names = Object.keys(tables[part] ?? {}).map((name) => `${name}${optionsText(part, name, fields)}`);
        return names.length === 0 ? [] : [`${part.padEnd(14)} ${names.join(', ')}`];
      });
      terminal.out([`${loaded.plugin.name} ${loaded.version ?? ''}`.trimEnd(), ...rows].join('\n'));
    });
}

/** The options of something that a plug-in brings, behind its name: ` (--smooth-kappa)`. */
function optionsText(part: string, name: string, fields: readonly (readonly [string, AnyField])[]): string {
  const own = fields.filter(([, { owners }]) => owners.some((owner) => owner.part === part && owner.name === name));
  return own.length === 0 ? '' : ` (${own.map(([option, { field }]) => optionName(option, field)).join(', ')})`;
}
