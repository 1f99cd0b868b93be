import { describe, expect, it } from 'vitest';
import { prepare } from '../test/execute.ts';
import {
  type Claim,
  certificate,
  NetBuilder,
  type NetSpec,
  networkFile,
  sealed,
  seeded,
  sizeOf,
  tensor,
} from '../test/make.ts';
import { smallNet } from '../test/nets.ts';
import { checkCertificate, createChecker } from './check.js';

/** A small net with a margin of about 1 at [0.5, 0.25]. */
function tinyNet(): NetSpec {
  const weights = [1, -1, 0.5, 0.25, 1, -0.5, 0.125, 1, -1];
  let next = 0;
  const net = new NetBuilder([2], () => weights[next++ % weights.length]!);
  net
    .affine()
    .dense(3)
    .batchNorm(1e-5, { gamma: () => 1, beta: () => 0.1, mean: () => 0, variance: () => 1 });
  net.add('relu', [3], { name: 'relu' });
  return net
    .dense(
      2,
      () => weights[next++ % weights.length]!,
      () => 0,
    )
    .build();
}
const input = Float32Array.of(0.5, 0.25);
const file = networkFile(tinyNet());
const claim: Claim = { net: tinyNet(), input, epsilon: '1/1000', range: ['0', '1'], label: 0, level: 'deployed' };
const reading = (bytes: Uint8Array<ArrayBuffer>) => async () => bytes;
const check = (text: string, bytes = file) => checkCertificate(text, reading(bytes));
const text = (data: object) => JSON.stringify(data);

/** The certificate with the true label. */
async function holding(changes: Partial<Claim> = {}) {
  for (const label of [0, 1]) {
    const data = certificate({ ...claim, ...changes, label });
    if ((await check(text(data), networkFile(changes.net ?? claim.net))).holds) return data;
  }
  throw new Error('no label holds');
}

describe('certificates that hold', () => {
  it.each([
    ['real', undefined],
    ['deployed', undefined],
    ['real', {}],
    ['deployed', { relu: Float32Array.of(0, 0.5, 1) }],
  ] as const)('at level %s with slopes %j', async (level, slopes) => {
    const data = await holding({ level, ...(slopes === undefined ? {} : { slopes }) });
    const verdict = await check(text(data));
    expect(verdict).toEqual({
      holds: true,
      level,
      property: `label ${data.property.label} within 1/1000`,
      margins: [expect.any(Number)],
    });
    expect(verdict.margins[0]).toBeGreaterThan(0);
    expect((await check(sealed(data))).holds).toBe(true);
  });

  it('whatever it is about, and without it', async () => {
    const { about: _, ...data } = await holding();
    expect((await check(text(data))).holds).toBe(true);
    for (const about of [null, 'a test', [1], { by: { name: 'a test' } }]) {
      expect((await check(sealed({ ...data, about }))).holds).toBe(true);
      expect((await check(sealed({ ...data, about }).replace('"level"', '"about":1,"level"'))).holds).toBe(false);
    }
  });

  it('gives larger margins to smaller claims', async () => {
    const margins = await Promise.all(
      (['deployed', 'real'] as const).map(async (level) => (await check(text(await holding({ level })))).margins[0]!),
    );
    expect(margins[1]! - margins[0]!).toBeGreaterThan(1e-7);
    expect(margins[1]! - margins[0]!).toBeLessThan(1e-4);
  });

  it('reads and hashes a network once', async () => {
    let read = 0;
    const checker = createChecker(async () => {
      read++;
      return file;
    });
    const data = text(await holding());
    for (let i = 0; i < 3; i++) expect((await checker(data)).holds).toBe(true);
    expect(read).toBe(1);
  });
});

describe('damage', () => {
  it('any changed byte of a sealed certificate is noticed', { timeout: 120_000 }, async () => {
    const bytes = new TextEncoder().encode(sealed(await holding()));
    const random = seeded(1);
    const accepted: number[] = [];
    const checker = createChecker(reading(file));
    for (let at = 0; at < bytes.length; at++) {
      for (const change of [1, 2, 0x20, 1 + Math.floor(random() * 127)]) {
        const damaged = bytes.slice();
        damaged[at]! ^= change;
        if ((await checker(new TextDecoder().decode(damaged))).holds) accepted.push(at);
      }
      const shorter = new TextDecoder().decode(bytes.slice(0, at));
      if ((await checker(shorter)).holds) accepted.push(at);
    }
    expect(accepted).toEqual([]);
  });

  it('any changed byte of the network file is noticed, also where its hash is made to fit', {
    timeout: 120_000,
  }, async () => {
    const data = await holding();
    const random = seeded(2);
    let accepted = 0;
    for (let at = 0; at < file.length; at++) {
      const damaged = file.slice();
      damaged[at]! ^= 1 + Math.floor(random() * 255);
      if ((await check(text(data), damaged)).holds) accepted++;
      // Tensors have their own hashes; of the header the whole file's is the only one.
      const headerEnd = 8 + Number(new DataView(file.buffer).getBigUint64(0, true));
      if (at < headerEnd) continue;
      const fitting = {
        ...data,
        network: { ...data.network, sha256: certificate({ ...claim, file: damaged }).network.sha256 },
      };
      if ((await check(text(fitting), damaged)).holds) accepted++;
    }
    expect(accepted).toBe(0);
  });
});

type Data = ReturnType<typeof certificate>;

describe('certificates that are refused', () => {
  const cases: [reason: RegExp, change: (data: Data) => object][] = [
    [/margin is not proved/, (d) => ({ ...d, property: { ...d.property, label: 1 - d.property.label } })],
    [/margin is not proved/, (d) => ({ ...d, perturbation: { ...d.perturbation, epsilon: '1' } })],
    [/format "cert-certificate-1"/, (d) => ({ ...d, format: 'cert-certificate-1' })],
    [/unknown field "note"/, (d) => ({ ...d, note: '' })],
    [/has no "level"/, ({ level: _, ...d }) => d],
    [/level is not real or deployed/, (d) => ({ ...d, level: 'float16' })],
    [
      /assumes \[.*no-overflow.*the certificate states \[/,
      (d) => ({ ...d, assumptions: d.assumptions.filter((a) => a !== 'no-overflow') }),
    ],
    [/the certificate states \[.*no-bugs\]/, (d) => ({ ...d, assumptions: [...d.assumptions, 'no-bugs'] })],
    [/label is 2 with 2/, (d) => ({ ...d, property: { ...d.property, label: 2 } })],
    [/label is not a whole/, (d) => ({ ...d, property: { ...d.property, label: 0.5 } })],
    [/label is not a whole/, (d) => ({ ...d, property: { ...d.property, label: -1 } })],
    [/network has 2 classes/, (d) => ({ ...d, property: { ...d.property, classes: 3 } })],
    [/network has 2 classes/, (d) => ({ ...d, property: { ...d.property, classes: 2 ** 31 } })],
    [/kind of the property/, (d) => ({ ...d, property: { ...d.property, kind: 'target' } })],
    [/unknown field "slack"/, (d) => ({ ...d, property: { ...d.property, slack: 1 } })],
    [/kind of the perturbation/, (d) => ({ ...d, perturbation: { ...d.perturbation, kind: 'l1' } })],
    ...['0.1e-3', '1e-9', '.1', '+0.1', '0x1', ' 0.1', '1/2/3', '1.5/2', 'NaN', ''].map(
      (epsilon): [RegExp, (data: Data) => object] => [
        /neither a decimal nor a fraction/,
        (d) => ({ ...d, perturbation: { ...d.perturbation, epsilon } }),
      ],
    ),
    [/epsilon is not a string/, (d) => ({ ...d, perturbation: { ...d.perturbation, epsilon: 0.001 } })],
    [/divides by 0/, (d) => ({ ...d, perturbation: { ...d.perturbation, epsilon: '1/0' } })],
    [/below 0/, (d) => ({ ...d, perturbation: { ...d.perturbation, epsilon: '-0.1' } })],
    [/range is empty/, (d) => ({ ...d, perturbation: { ...d.perturbation, range: ['1', '0'] } })],
    [/range has 1 items/, (d) => ({ ...d, perturbation: { ...d.perturbation, range: ['0'] } })],
    [/bounds .* are of no use/, (d) => ({ ...d, perturbation: { ...d.perturbation, range: ['0.7', '1'] } })],
    [/kind of the evidence is not ibp or linear or tree/, (d) => ({ ...d, evidence: [{ kind: 'trust' }] })],
    [/evidence is not a list/, (d) => ({ ...d, evidence: { kind: 'ibp' } })],
    [/evidence of 0 boxes/, (d) => ({ ...d, evidence: [] })],
    [/evidence of 2 boxes, not of 1/, (d) => ({ ...d, evidence: [...d.evidence, ...d.evidence] })],
    [/unknown field "slopes"/, (d) => ({ ...d, evidence: [{ kind: 'ibp', slopes: {} }] })],
    [/intermediate is not ibp or crown/, (d) => ({ ...d, evidence: [{ kind: 'linear', intermediate: 'alpha' }] })],
    [/unknown field "slopes"/, (d) => ({ ...d, evidence: [{ kind: 'linear', slopes: {}, intermediate: 'ibp' }] })],
    [/no ReLU/, () => certificate({ ...claim, slopes: { dense4: Float32Array.of(1) } })],
    [/neuron 3 of a ReLU that has 3/, () => certificate({ ...claim, slopes: { relu: new Float32Array(4) } })],
    [/not finite/, () => certificate({ ...claim, input: Float32Array.of(Number.POSITIVE_INFINITY, 0) })],
    [/SHA-256 of the input/, (d) => ({ ...d, input: { ...d.input, data: 'AAAAAAAAAAA=' } })],
    [/not base64/, (d) => ({ ...d, input: { ...d.input, data: 'AAA AAA=' } })],
    [/input has the shape/, (d) => ({ ...d, input: { ...d.input, shape: [2, 1, 1] } })],
    [/data does not have the shape/, () => certificate({ ...claim, input: Float32Array.of(0.5) })],
    [/not the one of the certificate/, (d) => ({ ...d, network: { ...d.network, sha256: '0'.repeat(64) } })],
    [/is not a SHA-256/, (d) => ({ ...d, network: { ...d.network, sha256: d.network.sha256.toUpperCase() } })],
    [/format is not cert-safetensors or onnx/, (d) => ({ ...d, network: { ...d.network, format: 'keras' } })],
    [
      /"params.dense4.bias" differs or is not listed/,
      (d) => {
        const { 'params.dense4.bias': _, ...tensors } = d.network.tensors;
        return { ...d, network: { ...d.network, tensors } };
      },
    ],
    [
      /lists the tensor "params.x"/,
      (d) => ({ ...d, network: { ...d.network, tensors: { ...d.network.tensors, 'params.x': '0'.repeat(64) } } }),
    ],
  ];

  it.each(cases)('%s', async (reason, change) => {
    const verdict = await check(text(change(await holding())));
    expect(verdict.holds).toBe(false);
    expect(verdict.reason).toMatch(reason);
  });

  it.each([
    ['a key twice', /key that occurs twice/, (t: string) => t.replace('"level"', '"level":"real","level"')],
    [
      'a key twice, once with an escape',
      /occurs twice/,
      (t: string) => t.replace('"level"', '"l\\u0065vel":"real","level"'),
    ],
    ['trailing garbage', /not JSON/, (t: string) => `${t}{}`],
    ['a byte order mark', /not JSON/, (t: string) => `\ufeff${t}`],
    ['a trailing comma', /not JSON/, (t: string) => t.replace(/}$/, ',}')],
    ['NaN', /not JSON/, (t: string) => t.replace('"index":17', '"index":NaN')],
    ['a number beyond float64', /not written as/, (t: string) => t.replace('"index":17', '"index":1e999')],
    ['a space between its parts', /not written as/, (t: string) => t.replace(',', ', ')],
    ['a line break at the end', /not written as/, (t: string) => `${t}\n`],
    ['a number in another form', /not written as/, (t: string) => t.replace('"index":17', '"index":17.0')],
    ['a line break in a string', /not JSON/, (t: string) => t.replace('digits', 'di\ngits')],
    ['nothing', /not JSON/, () => ''],
    ['a deep nest', /call stack|not an object/, () => `${'['.repeat(10_000)}${']'.repeat(10_000)}`],
    ['an open string', /not JSON/, () => '{"a'],
    ['no object', /not an object/, () => '[]'],
  ])('%s', async (_, reason, change) => {
    const verdict = await check(change(text(await holding())));
    expect(verdict).toMatchObject({ holds: false, reason: expect.stringMatching(reason) });
  });

  it('a file that cannot be read', async () => {
    const verdict = await checkCertificate(text(await holding()), () => Promise.reject(new Error('no such file')));
    expect(verdict).toMatchObject({ holds: false, level: 'deployed', reason: 'no such file' });
  });
});

describe('networks that are refused', () => {
  const changed = (change: (nodes: NetSpec['nodes'][number][]) => void): NetSpec => {
    const net = structuredClone(tinyNet()) as {
      inputShape: number[];
      classes: number;
      nodes: NetSpec['nodes'][number][];
    };
    change(net.nodes);
    return net;
  };
  const replace = (index: number, part: object) =>
    changed((nodes) => nodes.splice(index, 1, { ...nodes[index]!, ...part }));
  it.each<[RegExp, NetSpec]>([
    [/no rule for this op/, replace(3, { op: 'sigmoid' })],
    [/not one of checkpoints/, replace(3, { op: 'Relu' })],
    [/no rule for this op/, replace(3, { op: 'constructor' })],
    [/attribute "epsilon" is missing/, replace(2, { attrs: { momentum: 0.1 } })],
    [
      /bias has the shape \[1\], not as declared/,
      replace(4, { params: { kernel: tinyNet().nodes[4]!.params.kernel!, bias: tensor([1], () => 0) } }),
    ],
    [/cannot be part of/, replace(3, { inputs: ['params.dense1.bias'] })],
    [/no rule for the attribute "slope"/, replace(3, { attrs: { slope: 0.1 } })],
    [/does not come before the node/, replace(3, { inputs: ['dense4'] })],
    [/2 inputs instead of 1/, replace(3, { inputs: ['dense1', 'dense1'] })],
    [/"dense1" .*another value has this name/, replace(3, { name: 'dense1' })],
    [/not as declared/, replace(3, { shape: [4] })],
    [/cannot be part of/, replace(3, { name: 'a.b' })],
    [/for 2 classes/, changed((nodes) => nodes.pop())],
    [/unknown field "extra"/, replace(4, { params: { ...tinyNet().nodes[4]!.params, extra: tensor([1], () => 0) } })],
    [/bias is missing/, replace(4, { params: { kernel: tinyNet().nodes[4]!.params.kernel! } })],
    [/not finite/, replace(4, { params: { kernel: tensor([3, 2], () => Number.NaN), bias: tensor([2], () => 0) } })],
    [
      /no rule for the product of \[3\] and \[2,2\]/,
      replace(4, { params: { kernel: tensor([2, 2], () => 1), bias: tensor([2], () => 0) } }),
    ],
    [/variance \+ epsilon/, replace(2, { stats: { mean: tensor([3], () => 0), variance: tensor([3], () => -1) } })],
    [/"epsilon" is not a number/, replace(2, { attrs: { momentum: 0.1, epsilon: '1e-5' } })],
    [/is not a number/, replace(0, { attrs: { scale: [1, '1'], shift: [0, 0] } })],
    [/may overflow/, replace(4, { params: { kernel: tensor([3, 2], () => 2 ** 127), bias: tensor([2], () => 0) } })],
    [/may overflow/, replace(0, { attrs: { scale: [1e300, 1], shift: [0, 0] } })],
  ])('%s', async (reason, net) => {
    const verdict = await check(text(certificate({ ...claim, net })), networkFile(net));
    expect(verdict).toMatchObject({ holds: false, reason: expect.stringMatching(reason) });
  });

  /** One image of 4x4x2 through an op with attributes that other programs write and this one does not know. */
  const onImages = (op: 'affine' | 'avgPool' | 'conv2d', attrs: object): NetSpec => {
    const net = new NetBuilder([4, 4, 2], seeded(1));
    if (op === 'affine') net.affine();
    else if (op === 'conv2d') net.conv(2);
    else net.avgPool(2);
    net.nodes[0] = { ...net.nodes[0]!, attrs: { ...net.nodes[0]!.attrs, ...attrs } };
    return net.flatten().dense(2).build();
  };
  it.each<[RegExp, NetSpec]>([
    [/no rule for the attribute "dilation"/, onImages('conv2d', { dilation: 1 })],
    [/conv2d.*"stride" is of another type/, onImages('conv2d', { stride: [1, 1] })],
    [/conv2d.*"padding" is of another type/, onImages('conv2d', { padding: [1, 1, 1, 1] })],
    [/no rule for the attribute "stride"/, onImages('avgPool', { stride: 2 })],
    [/no rule for the attribute "padding"/, onImages('avgPool', { padding: 0 })],
    [/"countPadding" is not a number/, onImages('avgPool', { countPadding: false })],
    [/avgPool.*"size" is of another type/, onImages('avgPool', { size: [2, 2] })],
    [
      /not one number for each of 2 channels/,
      onImages('affine', { scale: Array(32).fill(1), shift: Array(32).fill(0) }),
    ],
  ])('%s', async (reason, net) => {
    const data = certificate({ ...claim, net, input: new Float32Array(32).fill(0.5) });
    const verdict = await check(text(data), networkFile(net));
    expect(verdict).toMatchObject({ holds: false, reason: expect.stringMatching(reason) });
  });

  it('a tensor that belongs to no node, of another dtype, with a hole or cut off', async () => {
    const header = (change: (json: string) => string) => {
      const end = 8 + Number(new DataView(file.buffer).getBigUint64(0, true));
      const json = new TextEncoder().encode(change(new TextDecoder().decode(file.subarray(8, end))));
      const bytes = new Uint8Array(8 + json.length + file.length - end);
      new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
      bytes.set(json, 8);
      bytes.set(file.subarray(end), 8 + json.length);
      return bytes;
    };
    for (const [reason, bytes] of [
      [
        /belongs to no node/,
        header((json) => json.replace('{', '{"params.a.b":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},')),
      ],
      [/is I32, not float32/, header((json) => json.replace('F32', 'I32'))],
      [/occurs twice/, header((json) => json.replace('{', '{"__metadata__":{},'))],
      [/hole or overlap/, header((json) => json.replace(/\[0,(\d+)\]/, (_, end) => `[4,${Number(end) + 4}]`))],
      [/should have \d+ bytes/, file.slice(0, -1)],
      [/should have \d+ bytes/, new Uint8Array([...file, 0])],
      [/more than the file/, file.slice(0, 50)],
      [/fewer than 8/, file.slice(0, 5)],
    ] as const) {
      const verdict = await check(text(certificate({ ...claim, file: bytes })), bytes);
      expect(verdict).toMatchObject({ holds: false, reason: expect.stringMatching(reason) });
    }
  });
});

/** One dense layer from hidden values that are the inputs. */
function linear(weights: readonly (readonly number[])[], bias: readonly number[] = weights.map(() => 0)): NetSpec {
  const inputs = weights[0]!.length;
  let [w, b] = [0, 0];
  const net = new NetBuilder([inputs], () => 0).add('relu', [inputs]);
  return net
    .dense(
      weights.length,
      () => {
        const at = w++;
        return weights[at % weights.length]![Math.floor(at / weights.length)]!;
      },
      () => bias[b++]!,
    )
    .build();
}

describe('networks built to fool floating-point verifiers', () => {
  const verdicts = async (net: NetSpec, x: Float32Array, label = 0) => {
    const bytes = networkFile(net);
    const each = async (level: 'real' | 'deployed', slopes?: Record<string, Float32Array>) =>
      (await check(text(certificate({ net, input: x, epsilon: '0', label, level, ...(slopes && { slopes }) })), bytes))
        .holds;
    const [real, deployed] = [await each('real'), await each('deployed')];
    expect(await each('real', {})).toBe(real);
    expect(await each('deployed', {})).toBe(deployed);
    // Splits, whatever their multipliers are, make nothing hold that does not.
    const relu = net.nodes.find(({ op }) => op === 'relu');
    for (const multiplier of relu === undefined ? [] : [0, 2 ** -20, 1, 1e6]) {
      const leaf = { row: 0, slopes: '', multipliers: [multiplier] };
      const cases = new Array(net.classes - 1).fill({ relu: relu!.name, neuron: 0, sides: [leaf, leaf] });
      const evidence = [{ kind: 'tree', intermediate: 'ibp', neurons: {}, cases }];
      for (const level of ['real', 'deployed'] as const) {
        const data = { ...certificate({ net, input: x, epsilon: '0', label, level }), evidence };
        const { holds } = await check(text(data), bytes);
        expect(holds && !(level === 'real' ? real : deployed)).toBe(false);
        if (multiplier === 0) expect(holds).toBe(level === 'real' ? real : deployed);
      }
    }
    return { real, deployed };
  };
  /** Whether some execution gives the label up. */
  const errs = (net: NetSpec, x: Float32Array, label = 0) => {
    const [execute, random] = [prepare(net), seeded(5)];
    return Array.from({ length: 500 }, () => execute(x, random)).some((logits) =>
      logits.some((logit, i) => i !== label && !(logits[label]! > logit)),
    );
  };
  const ones = (n: number) => new Float32Array(n).fill(1);

  it.each<[string, NetSpec, Float32Array, boolean]>([
    [
      '2^24 + 1 - 2^24',
      linear([
        [2 ** 24, 1, -(2 ** 24)],
        [0, 0.5, 0],
      ]),
      ones(3),
      true,
    ],
    [
      'large weights that cancel',
      linear([
        [2 ** 30, 1, -(2 ** 30), 1],
        [0, 1, 0, 0],
      ]),
      ones(4),
      true,
    ],
    [
      'a rounding lost with every term',
      linear([
        [1, ...new Array(1000).fill(2 ** -24)],
        [1, ...new Array(1000).fill(0)],
      ]),
      ones(1001),
      true,
    ],
    ['denormal weights, flushed', linear([[2 ** -140], [0]]), ones(1), true],
    ['products that underflow', linear([[2 ** -80], [0]]), Float32Array.of(2 ** -60), true],
    [
      'a tie',
      linear([
        [1, 2],
        [2, 1],
      ]),
      ones(2),
      false,
    ],
    [
      'a tie that float32 gets wrong in some orders',
      linear([
        [2 ** 24, 1, 1, -(2 ** 24)],
        [0, 1, 1, 0],
      ]),
      ones(4),
      false,
    ],
  ])('%s', async (_, net, x, real) => {
    expect(errs(net, x)).toBe(true);
    expect(await verdicts(net, x)).toEqual({ real, deployed: false });
  });

  it.each<[string, number[], number, number, number]>([
    // h = 2^-130 * 2^20 is a normal number, but the weight is not.
    ['a denormal weight in front of a normal value', [2 ** -130], 0, 2 ** 20, 2 ** 110],
    // h = 1 + 2^-24 + ... + 2^-24, and the sum may begin with the bias.
    ['a bias that takes a rounding of every term', new Array(1000).fill(2 ** -24), 1, 1, 1],
  ])('%s, in a hidden layer', async (_, weights, bias, x, after) => {
    let next = 0;
    const net = new NetBuilder([weights.length], () => 0).dense(
      1,
      () => weights[next++]!,
      () => bias,
    );
    const threshold = bias === 1 ? 1 : 0.5;
    const built = net
      .relu()
      .dense(
        2,
        () => (next++ === weights.length ? after : 0),
        () => (next++ === weights.length + 2 ? 0 : threshold),
      )
      .build();
    expect(await verdicts(built, new Float32Array(weights.length).fill(x))).toEqual({ real: true, deployed: false });
  });

  it('a ReLU at the end of its interval, where the line above it touches', async () => {
    // 2 - relu(x) on [-1, 1].
    const net = linear([[-1], [0]], [2, 0]);
    for (const slopes of [undefined, {}]) {
      const data = certificate({ net, input: new Float32Array(1), epsilon: '1', label: 0, ...(slopes && { slopes }) });
      const { margins } = await check(text(data), networkFile(net));
      expect(margins[0]).toBeLessThanOrEqual(1);
      expect(margins[0]).toBeGreaterThan(1 - 1e-12);
    }
  });

  it('a denormal input is no margin at level deployed: an execution may read it as 0', async () => {
    const net = new NetBuilder([2], () => 0).relu().build();
    expect(await verdicts(net, Float32Array.of(2 ** -130, 0))).toEqual({ real: true, deployed: false });
  });

  it('a margin that is lost in float64, too, is refused at level real', async () => {
    // Exactly the margin is 0 (minus a little where the input is a little less): 2^60 + 1 - 2^60 - 1.
    const net = linear([
      [2 ** 60, 1, -(2 ** 60), 0],
      [0, 0, 0, 1],
    ]);
    expect(await verdicts(net, ones(4))).toEqual({ real: false, deployed: false });
  });

  it('a variance near 0', async () => {
    const net = new NetBuilder([2], () => 0);
    const picks = [1, 0, 0, 1];
    let next = 0;
    net.dense(2, () => picks[next++]!);
    net.batchNorm(1e-12, { gamma: () => 1, beta: () => 0, mean: () => 1, variance: () => 0 });
    // 1 + 2^-23 against 1, and the other way round where both are moved by a rounding of the sum in front.
    const x = Float32Array.of(1 + 2 ** -23, 1);
    const built = net.build();
    expect((await verdicts(built, x)).real).toBe(true);
    expect((await verdicts(built, x)).deployed).toBe(false);
    expect(await verdicts(built, x, 1)).toEqual({ real: false, deployed: false });
  });

  it('never holds where a sample contradicts it', async () => {
    const random = seeded(9);
    let held = 0;
    for (let seed = 0; seed < 40; seed++) {
      const net = smallNet(seed);
      const [execute, bytes] = [prepare(net), networkFile(net)];
      const x = Float32Array.from({ length: sizeOf(net.inputShape) }, random);
      const first = execute(x, random);
      const label = first.indexOf(Math.max(...first));
      for (const epsilon of ['0', '1e-6', '0.001', '0.01'].map((e) => (e === '1e-6' ? '0.000001' : e))) {
        const { holds } = await check(text(certificate({ net, input: x, epsilon, label, level: 'deployed' })), bytes);
        if (!holds) continue;
        held++;
        for (let i = 0; i < 50; i++) {
          const end = Number(epsilon) * 0.999;
          const logits = execute(
            x.map((v) => v + (random() < 0.5 ? end : -end)),
            random,
          );
          expect(logits.every((logit, at) => at === label || logits[label]! > logit)).toBe(true);
        }
      }
    }
    expect(held).toBeGreaterThan(30);
  });
});
