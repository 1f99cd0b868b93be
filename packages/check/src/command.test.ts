import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'tsup';
import { afterAll, describe, expect, it } from 'vitest';
import { prepare } from '../test/execute.ts';
import { certificate, networkFile, sealed, seeded, sizeOf } from '../test/make.ts';
import { smallNet } from '../test/nets.ts';
import { run } from './command.js';
import { checkInParallel, textIn } from './files.js';

const folder = mkdtempSync(join(tmpdir(), 'cert-check-'));
afterAll(() => rmSync(folder, { recursive: true }));
const net = smallNet(1);
const random = seeded(3);
const input = Float32Array.from({ length: sizeOf(net.inputShape) }, random);
const logits = prepare(net)(input, random);
const label = logits.indexOf(Math.max(...logits));
const data = certificate({ net, input, epsilon: '0.0001', label, level: 'deployed' });
writeFileSync(join(folder, 'other.json'), '{ "type": "module" }');
writeFileSync(join(folder, 'network.safetensors'), networkFile(net));
const write = (name: string, text: string) => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const good = write('good.cert.json', sealed(data));
const bad = write('bad.cert.json', sealed({ ...data, property: { ...data.property, label: (label + 1) % 3 } }));

const command = (...args: string[]) => commandIn(undefined, ...args);

async function commandIn(columns: number | undefined, ...args: string[]) {
  const [lines, errors, screen]: [string[], string[], string[]] = [[], [], []];
  const status = await run(args, checkInParallel(new URL('./cli.ts', import.meta.url)), {
    stdout: {
      write: (text: string) => lines.push(text.replace(/\n$/, '')) > 0,
      columns: columns ?? Number.POSITIVE_INFINITY,
    },
    stderr: {
      write: (text: string) => (text.startsWith('\r') || !text.endsWith('\n') ? screen : errors).push(text) > 0,
      isTTY: true,
    },
  });
  return { status, lines, errors: errors.join('\n'), screen };
}

it('prints one line for each file and ends with 0 only if all hold', async () => {
  const holds = /^holds {2}deployed {2}label \d within 0\.0001 {2}margin [\d.e-]+/;
  const one = await command(good);
  expect(one).toEqual({
    status: 0,
    lines: [expect.stringMatching(new RegExp(`${holds.source}$`))],
    errors: '',
    screen: ['\r\x1b[K'],
  });
  const two = await command(bad, good);
  expect(two.status).toBe(1);
  expect(two.lines).toEqual([
    expect.stringMatching(/^refused {2}the margin is not proved: its lower bound is -[\d.]+ {2}.*bad\.cert\.json$/),
    expect.stringMatching(holds),
    '1 of 2 certificates hold',
  ]);
  expect(two.screen.join('')).toContain('1 of 2 checked, 1 refused');
});

it('puts the file on a line of its own where both do not fit the terminal', async () => {
  const { lines } = await commandIn(60, good, bad);
  expect(lines).toEqual([
    expect.stringMatching(/^holds {2}deployed {2}label \d within 0\.0001 {2}margin \S+\n {2}\S*good\.cert\.json$/),
    expect.stringMatching(/^refused {2}the margin [^\n]+\n {2}\S*bad\.cert\.json$/),
    '1 of 2 certificates hold',
  ]);
  const { lines: help } = await commandIn(80, '--help');
  expect(help[0]!.split('\n').filter((line) => line.length > 80)).toEqual([]);
});

it('prints JSON', async () => {
  const { status, lines } = await command(good, bad, '--json');
  expect(status).toBe(1);
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    {
      file: good,
      holds: true,
      level: 'deployed',
      property: `label ${label} within 0.0001`,
      margins: [expect.any(Number), expect.any(Number)],
    },
    expect.objectContaining({ file: bad, holds: false, reason: expect.stringContaining('not proved') }),
  ]);
});

it('takes the network from elsewhere, if it is the same', async () => {
  mkdirSync(join(folder, 'elsewhere'));
  const moved = write('elsewhere/moved.cert.json', sealed(data));
  expect((await command(moved)).lines[0]).toMatch(/^refused {2}ENOENT/);
  expect((await command(moved, '--network', join(folder, 'network.safetensors'))).status).toBe(0);
  expect((await command(moved, '--network', write('other', 'no network'))).lines[0]).toMatch(/^refused/);
});

it('reads certificates that are compressed', async () => {
  const compressed = join(folder, 'good.cert.json.gz');
  writeFileSync(compressed, gzipSync(sealed(data)));
  expect((await command(compressed)).status).toBe(0);
  writeFileSync(compressed, sealed(data));
  expect((await command(compressed)).lines).toEqual([
    'refused  the certificate cannot be decompressed: incorrect header check',
  ]);
});

describe('a compressed file', () => {
  const text = sealed(data);
  const whole = gzipSync(text, { level: 9 });
  const read = (bytes: Uint8Array) => textIn('a.cert.json.gz', bytes);
  const refusal = /^the certificate cannot be decompressed: .+/;

  it('is refused wherever it is cut off', () => {
    expect(read(whole)).toBe(text);
    for (let length = 0; length < whole.length; length++) {
      expect(() => read(whole.subarray(0, length))).toThrow(refusal);
    }
    expect(() => read(Uint8Array.of(...whole, 1))).toThrow(refusal);
  });

  it('is refused after any change of a byte, or is still the same text', () => {
    const random = seeded(8);
    const unnoticed = new Set<number>();
    for (let at = 0; at < whole.length; at++) {
      for (const change of [1, 2, 0x20, 0x80, 1 + Math.floor(random() * 255)]) {
        const damaged = new Uint8Array(whole);
        damaged[at]! ^= change;
        try {
          expect(read(damaged)).toBe(text);
          unnoticed.add(at);
        } catch (error) {
          expect(String(error)).toMatch(/^Refused: the certificate cannot be decompressed: .+/);
        }
      }
    }
    // A time and the name of a system, which gzip keeps for people, and copies of text that is there twice.
    expect(unnoticed.size).toBeLessThan(whole.length / 50);
  });

  it('is refused where it would become larger than a certificate may be', async () => {
    const zeros = new Uint8Array(2 ** 28 + 1);
    expect(() => read(gzipSync(zeros, { level: 1 }))).toThrow(/cannot be decompressed: .*larger than 268435456 bytes/);
    expect(() => textIn('a.cert.json', zeros)).toThrow('the certificate has 268435457 bytes, more than 268435456');
  });
});

it('keeps a verdict on one line, whatever is in a file', async () => {
  const { lines } = await command(write('forged.cert.json', '{"a\\nholds  real  label 3 within 0.1": 1}'));
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/^refused[^\n\r]*$/);
  const forged = write('a\nholds  real  label 3\u001b[2K\u202e.cert.json', '{}');
  const [first, ...others] = (await command(forged, good)).lines;
  expect(first).toMatch(/a\?holds {2}real {2}label 3\?\[2K\?\.cert\.json$/);
  expect(others).toHaveLength(2);
});

it('refuses what is no text or not there', async () => {
  writeFileSync(join(folder, 'binary'), Uint8Array.of(0x22, 0xff, 0x22));
  expect((await command(join(folder, 'binary'))).lines).toEqual([
    expect.stringMatching(/^refused {2}the certificate is not UTF-8/),
  ]);
  expect((await command(join(folder, 'missing'))).lines[0]).toMatch(/^refused {2}ENOENT/);
  const other = join(folder, 'other.json');
  writeFileSync(other, '{"private":true}');
  expect((await command(other)).lines[0]).toBe('refused  this is no certificate: the field "format" is missing');
});

it('ends with 2 for a wrong command line', async () => {
  expect(await command()).toMatchObject({
    status: 2,
    errors: expect.stringContaining('Usage: npx @cert/check FILE...'),
  });
  expect(await command(good, '--fast')).toMatchObject({
    status: 2,
    errors: expect.stringContaining("Unknown option '--fast'"),
  });
  expect(await command('--help')).toMatchObject({ status: 0, lines: [expect.stringContaining('--network FILE')] });
});

it('is a program that checks many files in threads', async () => {
  const entry = fileURLToPath(new URL('./cli.ts', import.meta.url));
  const outDir = join(folder, 'program');
  await build({ entry: { cli: entry }, outDir, format: 'esm', target: 'es2022', silent: true, config: false });
  const program = readdirSync(outDir).find((name) => /^cli\.m?js$/.test(name))!;
  const files = Array.from({ length: 40 }, (_, i) => (i === 7 ? bad : good));
  const { stdout, stderr, status } = spawnSync(process.execPath, [join(outDir, program), ...files], {
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  expect(status).toBe(1);
  const lines = stdout.trimEnd().split('\n');
  expect(lines).toHaveLength(41);
  expect(lines.pop()).toBe('39 of 40 certificates hold');
  expect(lines.flatMap((line, i) => (line.startsWith('holds') ? [] : [i]))).toEqual([7]);
});
