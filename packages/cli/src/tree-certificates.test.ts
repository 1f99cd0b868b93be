/** Certificates of trees of splits: those of `cert eval`, and those of networks of every op that the checker knows. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { checkCertificate } from '@cert/check';
import {
  add,
  affine,
  avgPool,
  batchNorm,
  conv2d,
  createRng,
  dense,
  flatten,
  globalAvgPool,
  graph,
  type HostParams,
  INPUT,
  initialStats,
  type Model,
  type Property,
  paramSpecs,
  relu,
  sizeOf,
  tf,
} from '@cert/core';
import { xavierInit } from '@cert/init';
import { cpuDevice } from '@cert/jit/node';
import { encodeCheckpoint, mlp } from '@cert/models';
import { saveCheckpoint } from '@cert/models/node';
import {
  type Certificate,
  type CertifiedTree,
  certificateText,
  certifiedNetwork,
  createProofSearch,
  createPropertyCertificate,
} from '@cert/verify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cert } from '../test/cert.js';

let place: string;
let checkpoint: string;
beforeAll(async () => {
  await tf.ready();
  place = await mkdtemp(join(tmpdir(), 'cert-trees-'));
  checkpoint = join(place, 'net.safetensors');
  const model = mlp({ inputShape: [28, 28, 1], classes: 10, hidden: [30, 30] });
  await saveCheckpoint(checkpoint, { model, params: xavierInit(model, 2), stats: initialStats(model) });
});
afterAll(() => rm(place, { recursive: true, force: true }));

const leavesIn = (tree: CertifiedTree): number =>
  'sides' in tree ? tree.sides.reduce((sum, side) => sum + leavesIn(side), 0) : 1;

/** How many leaves the largest tree of a certificate has. */
const leavesOf = ({ evidence: [first] }: Certificate): number =>
  first?.kind === 'tree' ? Math.max(...first.cases.map(leavesIn)) : 0;

describe.each(['deployed', 'real'])('an evaluation at %s', (level) => {
  /** At this radius some images of the untrained network need splits. */
  const run = (...more: string[]) =>
    cert(
      ...['eval', checkpoint, '--out', join(place, `${level}.jsonl`), '--certificates', join(place, level), '--json'],
      ...['--attack-steps', '10', '--attack-restarts', '1', '--epsilon', '0.02', '--limit', '120'],
      ...['--methods', 'ibp,alpha-crown,bab', '--arithmetic', level, ...more],
    );
  const checkIn = (text: string) => checkCertificate(text, (path) => readFile(join(place, level, path)));
  const textsIn = async (): Promise<ReadonlyMap<string, string>> => {
    const names = (await readdir(join(place, level))).filter((name) => name.endsWith('.gz')).sort();
    const read = names.map(
      async (name) => [name, gunzipSync(await readFile(join(place, level, name))).toString('utf8')] as const,
    );
    return new Map(await Promise.all(read));
  };

  it('writes what the checker accepts, and searches again for what is lost', { timeout: 120_000 }, async () => {
    const { status, out } = await run();
    expect(status).toBe(0);
    const texts = await textsIn();
    expect(JSON.parse(out).certificates).toBe(texts.size);
    const certificates = [...texts.values()].map((text): Certificate => JSON.parse(text));
    expect(new Set(certificates.map(({ about }) => about.method))).toEqual(new Set(['alpha-crown', 'bab']));
    expect(Math.max(...certificates.map(leavesOf))).toBeGreaterThan(1);
    for (const [name, text] of texts) {
      const verdict = await checkIn(text);
      expect([name, verdict.holds, verdict.level, verdict.reason]).toEqual([name, true, level, undefined]);
    }

    // Of these lines none is evaluated again: certificates that are there stay, one that is lost or changed is searched for.
    const [first, second, ...others] = [...texts].filter(([, text]) => leavesOf(JSON.parse(text)) > 1);
    await rm(join(place, level, first![0]));
    const changed = second![1].replace('"epsilon":"0.02"', '"epsilon":"0.03"');
    await writeFile(join(place, level, second![0]), gzipSync(changed));
    const again = await run();
    expect(JSON.parse(again.out)).toMatchObject({ before: 120, certificates: texts.size });
    const now = await textsIn();
    for (const [name, text] of others) expect(now.get(name)).toBe(text);
    for (const [name] of [first!, second!]) expect((await checkIn(now.get(name)!)).holds).toBe(true);
  });

  it('writes trees that are refused when anything is changed', async () => {
    const [text] = [...(await textsIn()).values()].filter((one) => leavesOf(JSON.parse(one)) > 1);
    const { sha256: _, ...certificate }: Certificate & { readonly sha256?: string } = JSON.parse(text!);
    const [evidence] = certificate.evidence;
    if (evidence?.kind !== 'tree') throw new Error('no tree');
    const largest = evidence.cases.findIndex((tree) => leavesIn(tree) > 1);
    const verdictOf = (change: (tree: CertifiedTree) => CertifiedTree) => {
      const cases = evidence.cases.map((tree, k) => (k === largest ? change(tree) : tree));
      return checkIn(certificateText({ ...certificate, evidence: [{ ...evidence, cases }] }));
    };
    expect((await verdictOf((tree) => tree)).holds).toBe(true);
    const side = (i: 0 | 1) => (tree: CertifiedTree) => ('sides' in tree ? tree.sides[i] : tree);
    for (const i of [0, 1] as const) expect((await verdictOf(side(i))).holds).toBe(false);
    const below = (tree: CertifiedTree): CertifiedTree =>
      'sides' in tree
        ? { ...tree, sides: [below(tree.sides[0]), below(tree.sides[1])] }
        : { ...tree, multipliers: tree.multipliers.map((m) => -1 - m) };
    expect((await verdictOf(below)).reason).toBe('a multiplier is below 0');
    expect((await checkIn(text!.replace('"multipliers":[', '"multipliers":[0'))).reason).toMatch(
      /was changed|not JSON/,
    );
  });
});

const residual = () => {
  const builder = graph([4, 4, 2]);
  builder.add(affine([1.25, 0.75], [0.1, -0.2]), [INPUT], 'normalize');
  builder.add(conv2d(4), ['normalize'], 'conv1');
  builder.add(batchNorm(), ['conv1'], 'bn1');
  builder.add(relu(), ['bn1'], 'relu1');
  builder.add(conv2d(4), ['relu1'], 'conv2');
  builder.add(batchNorm(), ['conv2'], 'bn2');
  builder.add(add(), ['bn2', 'relu1'], 'sum');
  builder.add(relu(), ['sum'], 'relu2');
  builder.add(avgPool(2), ['relu2'], 'pool');
  builder.add(flatten(), ['pool'], 'flat');
  builder.add(dense(6), ['flat'], 'dense1');
  builder.add(relu(), ['dense1'], 'relu3');
  builder.add(dense(2), ['relu3'], 'dense2');
  return builder.build();
};

const pooled = () => {
  const builder = graph([5, 5, 1]);
  builder.add(conv2d(3, { kernel: 3, stride: 2, padding: 0 }), [INPUT], 'conv1');
  builder.add(relu(), ['conv1'], 'relu1');
  builder.add(conv2d(6, { kernel: 1, padding: 0, groups: 3 }), ['relu1'], 'conv2');
  builder.add(flatten(), ['conv2'], 'flat');
  builder.add(relu(), ['flat'], 'relu2');
  builder.add(dense(5), ['relu2'], 'dense1');
  builder.add(relu(), ['dense1'], 'relu3');
  builder.add(dense(2), ['relu3'], 'dense2');
  return builder.build();
};

const averaged = () => {
  const builder = graph([4, 4, 1]);
  builder.add(relu(), [INPUT], 'relu0');
  builder.add(conv2d(5), ['relu0'], 'conv1');
  builder.add(relu(), ['conv1'], 'relu1');
  builder.add(conv2d(4), ['relu1'], 'conv2');
  builder.add(relu(), ['conv2'], 'relu2');
  builder.add(globalAvgPool(), ['relu2'], 'pool');
  builder.add(dense(2), ['pool'], 'dense1');
  return builder.build();
};

/** Random weights whose size keeps about half of the ReLUs active. */
function drawn(model: Model, seed: number): HostParams {
  const rng = createRng(seed, 'weights');
  const params: { [node: string]: { [name: string]: HostParams[string][string] } } = {};
  for (const { node, name, shape } of paramSpecs(model)) {
    const scale = name === 'kernel' ? Math.sqrt(2 / Math.max(1, sizeOf(shape.slice(0, -1)))) : 0.3;
    const data = Float32Array.from({ length: sizeOf(shape) }, () => scale * rng.normal() + (name === 'gamma' ? 1 : 0));
    params[node] = { ...params[node], [name]: { shape, data } };
  }
  return params;
}

it.each([
  ['residual blocks, normalizations and averages', residual],
  ['strides, groups and a ReLU behind a flattened image', pooled],
  ['a ReLU of the input, and an average of everything', averaged],
])('a tree of a network with %s is accepted', { timeout: 240_000 }, async (_, modelOf) => {
  const device = await cpuDevice({ threads: 1 });
  const model = modelOf();
  const [params, stats] = [drawn(model, 5), initialStats(model)];
  const bytes = encodeCheckpoint({ model, params, stats });
  const search = createProofSearch({ device, network: { model, params, stats } });
  const size = sizeOf(model.inputShape);
  const [lower, upper] = [new Float64Array(size).fill(-0.4), new Float64Array(size).fill(0.6)];
  const propertyOf = (bound: number): Property => {
    const either = [1, -1].map((sign) => ({ coefficients: Float64Array.of(sign, -0.5 * sign), bound }));
    return { inputs: size, outputs: 2, cases: either.map((one) => ({ lower, upper, outputs: [one] })) };
  };
  const trees: number[] = [];
  // Bounds closer and closer to what some input reaches.
  let [least, most] = [-16, 0];
  for (let step = 0; step < 7; step++) {
    const bound = (least + most) / 2;
    const level = step % 2 === 0 ? 'deployed' : 'real';
    const property = propertyOf(bound);
    const { decision, evidence, lower: margins } = await search.prove(property, { level, timeout: 10 });
    if (decision.verdict !== 'verified' || evidence[level] === undefined) {
      most = bound;
      continue;
    }
    least = bound;
    const certificate = createPropertyCertificate({
      ...{
        level,
        method: 'bab',
        evidence: evidence[level]!,
        margin: margins[level]!,
        shape: model.inputShape,
        property,
      },
      network: certifiedNetwork(bytes, 'network.safetensors'),
    });
    const verdict = await checkCertificate(certificateText(certificate), async () => new Uint8Array(bytes));
    expect([bound, verdict.holds, verdict.reason]).toEqual([bound, true, undefined]);
    expect(Math.min(...verdict.margins)).toBeCloseTo(margins[level]!, 4);
    trees.push(leavesOf(certificate));
  }
  await search.dispose();
  await device.dispose();
  expect(Math.max(...trees)).toBeGreaterThan(2);
});
