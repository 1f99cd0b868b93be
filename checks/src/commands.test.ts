/** Every shell block of the documents runs; of READMEs, whose commands may take days, each command is one that exists. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createProgram, main } from '../../packages/cli/src/main.js';
import { guides, readmes, root, slug } from './markdown.js';
import { missingLine } from './same-output.js';
import {
  hasRedis,
  hasTerminal,
  installable,
  readCommands,
  redis,
  runCommands,
  runInTerminal,
  scripts,
} from './shell.js';

/** Inside the repository, so that what is written there finds the packages. */
const place = join(root, 'checks', '.blocks', 'commands');
beforeAll(() => mkdir(place, { recursive: true }));
afterAll(() => rm(place, { recursive: true, force: true }));

/** Why npm would not know a command; undefined when it would. */
function npmProblem([, verb = '', ...rest]: readonly string[]): string | undefined {
  const words = rest.filter((word) => !word.startsWith('-'));
  if (verb === 'install') {
    // A version may follow the name.
    const unknown = words.find((word) => !installable.includes(word.replace(/(?<=.)@[\d.~^]+$/, '')));
    return unknown && `npm install: no package of ours is or uses ${unknown}`;
  }
  if (verb === 'run') return scripts.includes(words[0] ?? '') ? undefined : `npm run: there is no script ${words[0]}`;
  return ['ci', 'test', 'start'].includes(verb) ? undefined : `npm ${verb} is not known here`;
}

const withCommands = (document: (typeof guides)[number]) => document.blocks.some(({ language }) => language === 'sh');

describe('documents', () => {
  for (const document of guides.filter(withCommands)) {
    const inTerminal = document.blocks.some(({ words }) => words.includes('terminal'));
    const usesRedis = document.blocks.some(({ language, code }) => language === 'sh' && code.includes('redis-server'));
    const needs = [
      ...(inTerminal ? [' (skipped without the command script of util-linux)'] : []),
      ...(usesRedis ? [' (skipped without Redis: apt-get install redis-server)'] : []),
    ].join('');
    it.skipIf((inTerminal && !hasTerminal) || (usesRedis && !hasRedis))(
      `${document.file}: all commands run${needs}`,
      async () => {
        if (usesRedis) {
          const cure = 'The Redis server of an aborted run answers: redis-cli -p 6390 shutdown';
          expect(redis('ping'), cure).toBe(false);
          onTestFinished(() => void redis('shutdown', 'nosave'));
        }
        const folder = join(place, slug(document));
        await mkdir(folder, { recursive: true });
        // A project of the reader's; without one, what is written there would belong to this package.
        await writeFile(join(folder, 'package.json'), '{ "name": "mine", "version": "1.0.0", "type": "module" }');
        for (const { language, words, code, number, output: shown = '' } of document.blocks) {
          const file = /^\/\/ ([\w-]+\.mjs)\n/.exec(code)?.[1];
          if (language === 'js' && file !== undefined) await writeFile(join(folder, file), code);
          if (language !== 'sh') continue;
          const stopped = words.includes('ctrl-c');
          const { status, output, noted } = words.includes('terminal')
            ? await runInTerminal(code, folder, { stopped })
            : await runCommands(code, folder);
          expect([`block ${number}`, status], output).toEqual([`block ${number}`, stopped ? 130 : 0]);
          expect(missingLine(shown, output), output).toBeUndefined();
          expect(noted.map(npmProblem).filter(Boolean)).toEqual([]);
        }
      },
      180_000,
    );
  }
});

/** What commander says to a command line without running it; empty when it takes it. */
async function parse(args: readonly string[]): Promise<string> {
  const lines: string[] = [];
  const terminal = { out: () => {}, err: (line: string) => void lines.push(line), screen: null };
  const program = await createProgram(terminal, new AbortController().signal, () => {});
  const idle = (command: typeof program): void => {
    if (command.commands.length === 0) command.action(() => {});
    for (const each of command.commands) idle(each);
  };
  idle(program);
  await program.parseAsync([...args], { from: 'user' }).catch((error: Error) => lines.push(error.message));
  return lines.join('\n');
}

/** What `cert train` says to options that would begin a run, without beginning it; empty when it takes them. */
async function configure(args: readonly string[]): Promise<string> {
  const lines: string[] = [];
  const terminal = { out: () => {}, err: (line: string) => void lines.push(line), screen: null };
  await main([...args, '--print-config'], terminal, new AbortController().signal);
  return lines.join('\n');
}

describe('READMEs', () => {
  for (const document of readmes.filter(withCommands)) {
    it(`${document.file}: all commands are known`, async () => {
      const files: string[] = [];
      for (const { language, code, number } of document.blocks) {
        const file = /^# ([\w-]+\.yaml)\n/.exec(code)?.[1];
        if (language === 'yaml' && file !== undefined) {
          await writeFile(join(place, file), code);
          files.push(file);
        }
        if (language !== 'sh') continue;
        const { status, output, noted } = await readCommands(code, place);
        expect({ block: number, status, output }).toEqual({ block: number, status: 0, output: '' });
        for (const command of noted) {
          const [tool, name, ...args] = command;
          if (tool === 'npm') expect(npmProblem(command)).toBeUndefined();
          if (tool !== 'npx' || name !== 'cert') continue;
          expect([command.join(' '), await parse(args)]).toEqual([command.join(' '), '']);
          // What a run or a plug-in makes of the options is known where there is one.
          const begins = args[0] === 'train' && !args.includes('--resume') && !args.includes('--plugin');
          const placed = args.map((arg) => (files.includes(arg) ? join(place, arg) : arg));
          if (begins) expect([command.join(' '), await configure(placed)]).toEqual([command.join(' '), '']);
        }
      }
    });
  }
});

it('docs/from-python.md: every option of ours exists', async () => {
  const terminal = { out: () => {}, err: () => {}, screen: null };
  const program = await createProgram(terminal, new AbortController().signal, () => {});
  const known = program.commands.flatMap(({ options }) => options.flatMap(({ short, long }) => [short, long]));
  const { text } = guides.find(({ file }) => file.endsWith('from-python.md'))!;
  const ours = [...text.matchAll(/^\|[^|]*\|([^|]*)\|$/gm)].flatMap(([, cell]) => cell!.match(/--[a-z][\w-]*/g) ?? []);
  expect(ours.length).toBeGreaterThan(50);
  expect(ours.filter((option) => !known.includes(option))).toEqual([]);
});
