import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FIXTURES, golden } from './cli.js';

/** A copy of single files in a folder of its own. */
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'golden-'));
});
afterEach(() => rm(folder, { recursive: true }));

const copy = (...names: string[]) => Promise.all(names.map((name) => cp(join(FIXTURES, name), join(folder, name))));

async function run(...args: string[]): Promise<{ code: number; lines: string[] }> {
  const lines: string[] = [];
  const code = await golden(args, (line) => lines.push(...line.split('\n')));
  return { code, lines };
}

/** The file with the first number of a field changed; `field` is what stands before it. */
async function tamper(name: string, field: RegExp, by: number): Promise<void> {
  const path = join(folder, name);
  const text = await readFile(path, 'utf8');
  const number = new RegExp(`(${field.source}[^0-9-]*)(-?[0-9][0-9.e-]*)`);
  expect(text).toMatch(number);
  await writeFile(
    path,
    text.replace(number, (_, before: string, value: string) => `${before}${Number(value) + by}`),
  );
}

const failures = (lines: readonly string[]) => lines.filter((line) => /\bFAIL\b/.test(line));

describe('golden', () => {
  it('finds every number of the reference implementations, eager and compiled', async () => {
    const devices = process.env.CERT_TEST_DEVICE?.split(',') ?? ['cpu', 'tfjs'];
    const { code, lines } = await run('--devices', devices.join());
    expect(failures(lines)).toEqual([]);
    expect(code).toBe(0);
    expect(lines.at(-1)).toMatch(/^[1-9]\d+ passed, 0 failed$/);
    const seen = new Set(lines.slice(1, -1).map((line) => line.split(/\s+/).slice(0, 2).join(' ')));
    const relaxed = ['mlp', 'mlp_tie', 'cnn', 'cnn_kernels', 'cnn_remainder'];
    const both = [
      ...['cert_norm', 'ibp_cnn_train', 'reg', 'trajectory', 'residual_resnet', 'residual_identity', 'resnext_stride'],
      ...['verify_small', 'optimizers', 'loss_small'],
      ...relaxed.flatMap((name) => [`ibp_${name}`, `crown_${name}`]),
    ];
    expect([...seen].sort()).toEqual(
      [
        ...both.flatMap((kind) => devices.map((device) => `${kind}.json ${device}`)),
        'init.json host',
        ...['schedules.json host', 'learning_rates.json host'],
      ].sort(),
    );
  }, 300_000);

  it.each([
    ['ibp_mlp.json', /"margin_lower":\{"shape":\[5,9\],"data":\[/, 1e-3, 'margin_lower'],
    ['ibp_cnn_train.json', /"grad_ce_loss":\{"0.weight":\{"shape":\[4,2,3,3\],"data":\[/, 1e-3, 'grad_ce_loss'],
    ['cert_norm.json', /"robust_loss":/, 1e-3, 'robust_loss'],
    ['schedules.json', /"eps_train":\[\[0.0,/, 1e-9, 'eps_train'],
    ['learning_rates.json', /"rates":\[/, 1e-9, '[0] cosine'],
    ['init.json', /"final_std":/, 1e-6, 'final_std'],
    ['trajectory.json', /"loss":/, 0.01, 'steps.loss'],
    ['loss_small.json', /"name":"sabr","lambda":0.4,"relu_shrinkage":null,"loss":/, 1e-2, 'sabr loss'],
    ['optimizers.json', /"params":\{"kernel":\{"shape":\[2,2\],"data":\[/, 1e-4, 'adam kernel'],
  ])('reports a number of %s that was changed', async (name, field, by, quantity) => {
    await copy(name);
    await tamper(name, field, by);
    const { code, lines } = await run(folder);
    expect(code).toBe(1);
    const failed = failures(lines);
    expect(failed.length).toBeGreaterThan(0);
    for (const line of failed) expect(line).toContain(quantity);
    expect(lines.at(-1)).toContain(`, ${failed.length} failed`);
  });

  it('reports every changed number of linear relaxation', async () => {
    await copy('crown_mlp.json', 'ibp_mlp.json', 'residual_identity.json');
    for (const [name, field, by] of [
      ['crown_mlp.json', /"crown_ibp_margin_upper":\{"shape":\[5,9\],"data":\[/, 1e-4],
      ['crown_mlp.json', /"mixed":.*?"margin_lower":\{"shape":\[5,9\],"data":\[/, 1e-4],
      ['crown_mlp.json', /"robust_loss":\[\{"crown_factor":1.0,"value":/, 1e-4],
      ['crown_mlp.json', /"crown_relu_inputs":\[\{"lower":\{"shape":\[5,14\],"data":\[/, 1e-4],
      ['crown_mlp.json', /"pgd_margin_upper":\{"shape":\[5,9\],"data":\[/, -9],
      ['residual_identity.json', /"crown_margin_lower":\{"shape":\[1,4\],"data":\[/, 1e-4],
    ] as const) {
      await tamper(name, field, by);
    }
    const { code, lines } = await run(folder);
    expect(code).toBe(1);
    const rows = failures(lines).map((line) => `${line.slice(0, 22).trim()} ${line.slice(32, 78).trim()}`);
    expect([...new Set(rows)].sort()).toEqual([
      'crown_mlp.json crown_ibp_margin_lower <= pgd_margin_upper',
      'crown_mlp.json crown_ibp_margin_upper',
      'crown_mlp.json crown_margin_lower <= pgd_margin_upper',
      'crown_mlp.json crown_relu_inputs.lower',
      'crown_mlp.json loss_fusion.robust_loss',
      'crown_mlp.json mixed.margin_lower',
      'residual_identity.json crown_margin_lower',
    ]);
    expect(rows).toHaveLength(14);
  });

  it('names what a block lacks', async () => {
    await copy('residual_identity.json');
    const file = JSON.parse(await readFile(join(folder, 'residual_identity.json'), 'utf8'));
    delete file.net[0].bn2;
    await writeFile(join(folder, 'residual_identity.json'), JSON.stringify(file));
    expect((await run(folder)).lines.join('\n')).toContain('FAIL ("net[0]" has no field "bn2"');
  });

  it('reports a changed count and gradient of the regularizers', async () => {
    await copy('reg.json', 'ibp_cnn_train.json');
    await tamper('reg.json', /"n_active":/, 1);
    await tamper('reg.json', /"grad_total":\{"0.weight":\{"shape":\[4,2,3,3\],"data":\[/, 1e-3);
    const { code, lines } = await run(folder);
    expect(code).toBe(1);
    const quantities = failures(lines).map((line) => line.slice(32, 78).trim());
    expect(new Set(quantities)).toEqual(new Set(['[0] eps=0.02 layers.n_active', '[0] eps=0.02 grad_total']));
    expect(quantities).toHaveLength(4);
  });

  it('makes rows of what is wrong with a file and continues', async () => {
    await copy('schedules.json', 'reg.json', 'ibp_mlp.json');
    await writeFile(join(folder, 'cut.json'), '{"kind":"ibp_mlp","net":[');
    await writeFile(join(folder, 'later.json'), '{"kind":"lipschitz_cnn"}');
    await writeFile(join(folder, 'nothing.json'), '{"kind":"schedules","cases":[]}');
    await writeFile(join(folder, 'list.json'), '[1, 2]');
    const mlp = JSON.parse(await readFile(join(folder, 'ibp_mlp.json'), 'utf8'));
    mlp.net[0].weight.data.pop();
    await writeFile(join(folder, 'ibp_mlp.json'), JSON.stringify(mlp));
    const { code, lines } = await run(folder);
    expect(code).toBe(1);
    const text = lines.join('\n');
    expect(text).toMatch(/cut\.json +host .*FAIL \("cut\.json" is no JSON file/);
    expect(text).toMatch(/later\.json +- +lipschitz_cnn .*not covered/);
    expect(text).toMatch(/nothing\.json .*FAIL \(there is nothing to compare\)/);
    expect(text).toMatch(/list\.json .*FAIL \(The file has no field "kind"/);
    expect(text).toMatch(/ibp_mlp\.json .*FAIL \("net\[0\]\.weight" has 125 numbers for the shape \[14,9\]/);
    expect(text).toMatch(/reg\.json .*FAIL \("ibp_cnn_train\.json" is no JSON file/);
    expect(text).toMatch(/schedules\.json .*pass/);
    expect(lines.at(-1)).toBe('12 passed, 7 failed');
  });

  it('says what is wrong with the folder', async () => {
    expect(await run(join(folder, 'missing'))).toMatchObject({
      code: 1,
      lines: expect.arrayContaining([expect.stringMatching(/cannot be read/)]),
    });
    expect(await run(folder)).toMatchObject({
      code: 1,
      lines: expect.arrayContaining([expect.stringMatching(/holds no JSON file/)]),
    });
    expect(await run('a', 'b')).toMatchObject({
      code: 1,
      lines: expect.arrayContaining([expect.stringMatching(/Usage/)]),
    });
  });
});
