import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const folder = fileURLToPath(new URL('..', import.meta.url));
const bench = (...args: string[]) =>
  spawnSync(process.execPath, ['--import', 'tsx', '--conditions=@cert/source', 'src/main.ts', ...args], {
    cwd: folder,
    encoding: 'utf8',
  });

it('prints medians, minima, memory and one trace as JSON', () => {
  const { stdout, status } = bench('mnist-w16', '--json', '--steps', '2', '--warmup', '1', '--rounds', '1');
  expect(status).toBe(0);
  const [result] = JSON.parse(stdout).results;
  expect(result).toMatchObject({ name: 'mnist-w16', batch: 64, traces: 1 });
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
    'mnist-w16, mnist-w64, cifar-w64, wrn8, crown-ibp, natural, pgd-8, ibp, sabr, mtl-ibp, digits, loader',
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
