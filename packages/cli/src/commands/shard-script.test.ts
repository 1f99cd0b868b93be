import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Job } from 'kubernetes-models/batch/v1';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';
import { cert, train } from '../../test/cert.js';

let place: string;
let run: string;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'cert-shards-'));
  run = join(place, "the run's folder");
  expect(await train(run)).toMatchObject({ status: 0 });
});
afterAll(() => rm(place, { recursive: true, force: true }));

const script = (...args: string[]) => cert('shard-script', run, '--epsilon', '8/255', '--methods', 'ibp', ...args);

/** Whether a SLURM controller answers here. */
const hasSlurm = spawnSync('scontrol', ['ping']).status === 0;

/** What a shell makes of a script's last command, with programs that print their arguments. */
function argumentsOf(command: string, env: { readonly [name: string]: string }): readonly string[] {
  const shown = command.replace('exec node_modules/.bin/cert', 'printf "%s\\n"');
  const { stdout, status } = spawnSync('/bin/sh', ['-c', shown], { env: { ...process.env, ...env }, encoding: 'utf8' });
  expect(status).toBe(0);
  return stdout.trimEnd().split('\n');
}

const WORDS = () => ['eval', run, '--epsilon', '8/255', '--methods', 'ibp', '--limit', '9'];

it('prints an array script for SLURM whose tasks are the shards', async () => {
  const { status, out } = await script('--shards', '5', '--slurm', '--limit', '9');
  expect(status).toBe(0);
  const lines = out.split('\n');
  const code = lines.findIndex((line) => line !== '' && !line.startsWith('#'));
  const directives = lines.filter((line) => line.startsWith('#SBATCH '));
  // SLURM reads none behind the first command.
  expect(lines.slice(code).filter((line) => line.includes('SBATCH'))).toEqual([]);
  expect(directives.every((line) => /^#SBATCH --[a-z-]+=\S+$/.test(line))).toBe(true);
  expect(directives).toContain('#SBATCH --array=1-5');
  expect(spawnSync('bash', ['-n'], { input: out }).status).toBe(0);
  expect(argumentsOf(lines.at(-1)!, { SLURM_ARRAY_TASK_ID: '4' })).toEqual([...WORDS(), '--shard', '4/5']);
});

it.skipIf(!hasSlurm)(`is taken by sbatch${hasSlurm ? '' : ' (skipped without a SLURM controller)'}`, async () => {
  const file = join(place, 'script.sh');
  await writeFile(file, `${(await script('--shards', '2', '--slurm')).out.replace('--mem=4G', '--mem=100M')}\n`);
  const { status, stderr } = spawnSync('sbatch', ['--test-only', file], { encoding: 'utf8' });
  expect([status, stderr]).toEqual([0, expect.stringContaining('to start at')]);
});

it('prints the manifest of an indexed job for Kubernetes', async () => {
  const { status, out } = await script('--kubernetes', '--shards=5', '--limit', '9');
  expect(status).toBe(0);
  const job = parse(out);
  // Throws at what the schema of Kubernetes does not allow.
  new Job(job).validate();
  expect(job).toMatchObject({
    ...{ apiVersion: 'batch/v1', kind: 'Job', metadata: { name: expect.stringMatching(/^[a-z-]+$/) } },
    spec: { completionMode: 'Indexed', completions: 5, parallelism: 5, backoffLimit: 15 },
  });
  const [container] = job.spec.template.spec.containers;
  const mounts = container.volumeMounts.map(({ name }: { name: string }) => name);
  expect(job.spec.template.spec.volumes.map(({ name }: { name: string }) => name)).toEqual(mounts);
  expect(container.command.slice(0, 2)).toEqual(['/bin/sh', '-c']);
  // The index counts from 0.
  const env = { JOB_COMPLETION_INDEX: '0' };
  expect(argumentsOf(container.command[2], env)).toEqual([...WORDS(), '--shard', '1/5']);
});

it('says what is missing, and what is wrong with the evaluation', async () => {
  expect((await script('--shards', '5')).err).toContain('No batch system was given.');
  expect((await script('--shards', '5', '--slurm', '--kubernetes')).err).toContain('Two batch systems were given.');
  expect((await script('--shards', '0', '--slurm')).err).toContain('--shards is 0.');
  expect((await script('--shards', '5', '--slurm', '--methods', 'ipb')).err).toContain('"ipb"');
  expect((await script('--shards', '5', '--slurm', '--shard', '1/5')).err).toContain('--shard');
});
