import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';

const folder = fileURLToPath(new URL('..', import.meta.url));
const bench = (...args: string[]) =>
  spawnSync(process.execPath, ['--import', 'tsx', '--conditions=@cert/source', 'src/main.ts', ...args], {
    cwd: folder,
    encoding: 'utf8',
    maxBuffer: 2 ** 24,
  });

it('prints medians, minima, memory and one trace as JSON', () => {
  const { stdout, status } = bench('digits', '--json', '--steps', '2', '--warmup', '1', '--rounds', '1');
  expect(status).toBe(0);
  const [result] = JSON.parse(stdout).results;
  expect(result).toMatchObject({ name: 'digits', batch: 64, traces: 1 });
  expect(result.minMs).toBeGreaterThan(0);
  expect(result.medianMs).toBeGreaterThanOrEqual(result.minMs);
  expect(result.imagesPerSecond).toBeCloseTo(64_000 / result.medianMs);
  expect(result.peakMiB).toBeGreaterThan(50);
  expect(result.waitShare).toBeGreaterThan(0);
  expect(result.waitShare).toBeLessThan(1);
});

it('names the workloads when it is given another', () => {
  const { stderr, status } = bench('mnist-w17');
  expect(status).toBe(1);
  expect(stderr).toContain(
    'mnist-w16, mnist-w64, cifar-w64, wrn8, crown-ibp, natural, pgd-8, ibp, sabr, mtl-ibp, digits, loader, pgd-200',
  );
});

it('profiles a step by op, by node and by call site', () => {
  const { stdout, status } = bench('crown-ibp', '--profile', '--json', '--steps', '2', '--warmup', '1');
  expect(status).toBe(0);
  const [profile] = JSON.parse(stdout).profiles;
  expect(profile).toMatchObject({ name: 'crown-ibp', steps: 2 });
  expect(profile.runMs).toBeGreaterThan(profile.nodesMs);
  for (const rows of [profile.ops, profile.nodes, profile.sites]) {
    expect(rows.reduce((all: number, row: { share: number }) => all + row.share, 0)).toBeCloseTo(1);
  }
  const relu = profile.nodes.find(({ op }: { op: string }) => op === 'Relu');
  expect(relu).toMatchObject({ count: 1, site: expect.stringMatching(/^packages\/bounds\/src\/[\w-]+\.ts:\d+/) });
  // The work that sets this workload apart from the others.
  const sites = profile.sites.map(({ site }: { site: string }) => site);
  expect(sites).toContainEqual(expect.stringMatching(/^packages\/bounds\/src\/linear-relaxation\.ts:.*, gradient$/));
});

it('measures points of the scaling series and draws them', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cert-bench-'));
  const svg = join(folder, 'scaling.svg');
  const settings = ['--steps', '1', '--warmup', '1', '--rounds', '1', '--threads', '1'];
  const { stdout, status } = bench('depth-2', 'depth-4', '--svg', svg, '--json', ...settings);
  expect(status).toBe(0);
  const [two, four] = JSON.parse(stdout).scaling;
  expect([two, four]).toMatchObject([{ name: 'depth-2' }, { name: 'depth-4' }]);
  for (const point of [two, four]) {
    for (const name of ['minMs', 'cpuMs', 'peakMiB', 'traceMs', 'nodes', 'msPerGflop', 'memoryRatio']) {
      expect(point[name], name).toBeGreaterThan(0);
    }
  }
  // Twice the blocks: about twice the graph.
  expect(four.nodes / two.nodes).toBeGreaterThan(1.7);
  expect(four.nodes / two.nodes).toBeLessThan(2.3);
  expect(readFileSync(svg, 'utf8')).toContain('</svg>');
  rmSync(folder, { recursive: true });
});

it('names the points of --scaling when it is given another', () => {
  const { stderr, status } = bench('--scaling', 'mnist-w16');
  expect(status).toBe(1);
  expect(stderr).toContain('batch-16, batch-32');
});

/** A peer that knows training steps alone and tells the arguments that it got as its version. */
const PEER = `
const args = process.argv.slice(2);
if (args.includes('--task')) {
  console.error('error: unrecognized arguments: --task');
  process.exit(2);
}
const version = args.join(' ');
if (!args.includes('--help')) console.log(JSON.stringify({ median_s: 2, min_s: 1, peak_rss_mib: 3, version }));
`;

describe('peers', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cert-bench-'));
  const peer = join(folder, 'some_step.mjs');
  writeFileSync(peer, PEER);
  const settings = ['--json', '--steps', '1', '--warmup', '1', '--threads', '1'];
  const run = (...args: string[]) => bench('--rounds', '1', ...args, ...settings, '--python', process.execPath);
  afterAll(() => rmSync(folder, { recursive: true }));

  it('run with their own arguments and those of the workload, one block each', () => {
    const { stdout, status } = run('mnist-w16', '--peer', peer, '--peer', `${peer} --compile  --fast`);
    expect(status).toBe(0);
    const [{ minMs, peers }] = JSON.parse(stdout).results;
    const own = '--config mnist --batch 64 --width 16 --linear 128 --steps 1 --warmup 1 --threads 1';
    expect(peers).toMatchObject([
      { name: 'some_step', version: own, medianMs: 2000, minMs: 1000, peakMiB: 3, imagesPerSecond: 32 },
      { name: 'some_step --compile --fast', version: `--compile --fast ${own}` },
    ]);
    expect(peers[0].speedOverPeer.byMinimum).toBeCloseTo(1000 / minMs);
  });

  it('are left out of workloads that they do not know, and say why, once', () => {
    const { stdout, stderr, status } = run('crown-ibp', '--peer', peer, '--rounds', '2');
    expect(status).toBe(0);
    expect(JSON.parse(stdout).results).toMatchObject([{ name: 'crown-ibp', peers: [] }]);
    expect(stderr.split('some_step does not know the workload: error: unrecognized arguments: --task')).toHaveLength(2);
  });

  it('that no Python can run are named', () => {
    const { stderr, stdout } = run('digits', '--peer', `${join(folder, 'missing.mjs')} --compile`);
    expect(stderr).toContain('missing.mjs --compile was found: the peer is left out (name one with --python)');
    expect(JSON.parse(stdout).results[0].peers).toEqual([]);
  });
});

it('times an evaluation, compiled once', () => {
  const { stdout, status } = bench('certify-ibp', '--json', '--steps', '1', '--warmup', '1', '--rounds', '1');
  expect(status).toBe(0);
  const [result] = JSON.parse(stdout).results;
  expect(result).toMatchObject({ name: 'certify-ibp', traces: 1 });
  expect(result.compileMs).toBeGreaterThan(0);
});
