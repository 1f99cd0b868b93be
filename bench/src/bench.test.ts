import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const folder = fileURLToPath(new URL('..', import.meta.url));
const bench = (...args: string[]) =>
  spawnSync('npx', ['tsx', '--conditions=@cert/source', 'src/main.ts', ...args], { cwd: folder, encoding: 'utf8' });

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
  expect(stderr).toContain('mnist-w16, mnist-w64, cifar-w64, wrn8, crown-ibp, digits, loader');
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
  expect(relu).toMatchObject({ count: 1, site: expect.stringMatching(/^packages\/bounds\/src\/\w+\.ts:\d+/) });
  // The work that sets this workload apart from the others.
  const sites = profile.sites.map(({ site }: { site: string }) => site);
  expect(sites).toContainEqual(expect.stringMatching(/^packages\/bounds\/src\/linear-relaxation\.ts:.*, gradient$/));
});
