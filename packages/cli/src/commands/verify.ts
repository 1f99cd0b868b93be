import type { Arithmetic } from '@cert/bounds';
import { CertError, type Property } from '@cert/core';
import { writeVnncompResult } from '@cert/interchange';
import type { Device } from '@cert/jit';
import { createDecider, createProofSearch, type DecideProgress, type ProofResult } from '@cert/verify';
import { parseShard } from '@cert/verify/node';
import type { Command } from 'commander';
import { calledAs } from '../called-as.js';
import { isTable } from '../predict/row-inputs.js';
import { painter } from '../show/paint.js';
import { widthOf, wrapText } from '../show/width.js';
import type { Terminal } from '../terminal.js';
import { prepareCertificate, writeCertificate } from '../verify/certificate.js';
import { counterexampleSentence } from '../verify/counterexample.js';
import { decideBall } from '../verify/euclidean.js';
import { type BallProblem, imageProperty, rowProperty } from '../verify/image.js';
import { jsonOf, readProperty, replayOf, resultText, sentenceOf } from '../verify/instance.js';
import { runInstances } from '../verify/instances.js';
import { loadNetwork, readBytes, type VerifiedNetwork } from '../verify/network.js';
import { writeOutput } from '../verify/output-file.js';
import { progressLine } from '../verify/progress.js';
import { readNumber } from '../verify/read-number.js';
import { openDeviceFor } from './open-device.js';
import { type RawOptions, readWord } from './options.js';
import type { OutputOptions } from './output-options.js';
import { readArithmetic } from './read-arithmetic.js';
import { addVerifyOptions, SPLITS, TIMEOUT } from './verify-options.js';

/** Makes `cert verify`. */
export async function addVerify(command: Command, terminal: Terminal, signal: AbortSignal): Promise<void> {
  addVerifyOptions(command).action(
    async (network: string | undefined, property: string | undefined, raw: RawOptions & Switches) => {
      const settings = {
        timeout: raw.timeout === undefined ? undefined : readNumber('--timeout', raw.timeout),
        split: raw.split === undefined ? undefined : readWord('--split', raw.split, SPLITS),
        arithmetic: readArithmetic(raw.arithmetic),
      };
      checkTogether(network, property, raw);
      const device = await openDeviceFor(terminal, raw.device ?? 'auto');
      try {
        if (raw.instances !== undefined) {
          const shard = raw.shard === undefined ? undefined : parseShard(raw.shard);
          await runInstances({
            ...{
              terminal,
              device,
              signal,
              json: raw.json === true,
              quiet: raw.quiet === true,
              overwrite: raw.overwrite === true,
              shard,
              ...settings,
            },
            ...{
              file: raw.instances,
              out: raw.out ?? `results${shard ? `.shard-${shard.index}-of-${shard.of}` : ''}.jsonl`,
            },
          });
          return;
        }
        if (network === undefined) throw noNetwork();
        await verifyOne({ terminal, device, signal, network, property, raw, ...settings });
      } finally {
        await device.dispose();
      }
    },
  );
}

interface Switches extends OutputOptions {
  readonly overwrite?: boolean;
}

interface OneProperty {
  readonly terminal: Terminal;
  readonly device: Device;
  readonly signal: AbortSignal;
  readonly network: string;
  readonly property: string | undefined;
  readonly raw: RawOptions & Switches;
  readonly timeout: number | undefined;
  readonly split: 'inputs' | 'relus' | undefined;
  readonly arithmetic: Arithmetic;
}

async function verifyOne(options: OneProperty): Promise<void> {
  const { terminal, raw } = options;
  // A verdict of an earlier run must not stand there when this one fails or is killed.
  if (raw.results !== undefined) await writeOutput(raw.results, writeVnncompResult('error'));
  const { loaded, property, ball, about, classNames } = await problemOf(options);
  for (const note of loaded.notes) terminal.err(`note: ${note}`);
  const { certificate: file } = raw;
  const show = progressLine(terminal, { json: raw.json === true, quiet: raw.quiet === true, about: '' });
  try {
    if (file !== undefined) await prepareCertificate(file, loaded);
    const overBox = () => decided(options, loaded, property, show.tell);
    const { device, signal } = options;
    const set = ball?.perturbation;
    const result =
      ball !== undefined && set?.kind === 'l2'
        ? await decideBall({ device, signal, network: loaded.network, ball, perturbation: set, overBox })
        : await overBox();
    show.close();
    const { decision } = result;
    const text = resultText(decision, loaded);
    if (raw.results !== undefined) await writeOutput(raw.results, text);
    const certificate =
      file === undefined ? undefined : await writeCertificate({ file, loaded, property, ball, result });
    if (raw.json) {
      const written = certificate && { certificate: certificate.written ? file : null };
      terminal.out(JSON.stringify({ ...jsonOf(decision, text), ...written }));
      if (certificate?.written === false) terminal.err(certificate.sentence);
    } else {
      const fitted = (sentence: string) => wrapText(sentence, widthOf(terminal)).join('\n');
      // A screen would be full of pixels; a program that reads a pipe needs them.
      const short = ball !== undefined && decision.verdict === 'falsified' && terminal.screen !== null;
      terminal.out(short ? 'sat' : text.trimEnd());
      const sentence = `${about}${sentenceOf(decision, short ? '' : undefined)}`;
      terminal.out(marked(terminal, decision.verdict, fitted(sentence)));
      if (short) {
        const { results = '' } = raw;
        terminal.out(fitted(counterexampleSentence({ ball, classNames, witness: decision.witness })));
        terminal.out(fitted(results === '' ? WHERE : `The counterexample is in ${results}.`));
      }
      if (certificate !== undefined) terminal.out(fitted(certificate.sentence));
    }
  } finally {
    show.close();
    await loaded.independent?.dispose();
  }
}

const WHERE = 'Write the counterexample to a file with: --results FILE';

const MARKS = { verified: 'good', falsified: 'bad', unknown: 'warning' } as const;

/** Sentences with the verdict coloured. A line may end in it. */
const marked = (terminal: Terminal, verdict: keyof typeof MARKS, text: string): string =>
  text.replace(/The\sproperty\s(holds|is\sviolated)|Undecided/, (words) => painter(terminal)(MARKS[verdict], words));

/** Decides a property; for a certificate by a search whose proofs it can hold. */
async function decided(
  { device, signal, raw, timeout = TIMEOUT, split, arithmetic }: OneProperty,
  loaded: VerifiedNetwork,
  property: Property,
  onProgress: (progress: DecideProgress) => void,
): Promise<ProofResult> {
  const setting = { device, network: loaded.network, ...replayOf(loaded) };
  const options = { timeout, signal, onProgress };
  if (raw.certificate === undefined) {
    const decider = createDecider({ ...setting, ...(split !== undefined && { split }) });
    try {
      return { decision: await decider.decide(property, { ...options, arithmetic }), lower: {}, evidence: {} };
    } finally {
      await decider.dispose();
    }
  }
  const search = createProofSearch({ ...setting, ...(split !== undefined && { split }) });
  try {
    return await search.prove(property, { ...options, level: arithmetic === 'real' ? 'real' : 'deployed' });
  } finally {
    await search.dispose();
  }
}

/** The network, and what is asked of it. */
async function problemOf({
  network: path,
  property: file,
  raw,
  device,
  terminal,
}: OneProperty): Promise<Omit<BallProblem, 'ball' | 'classNames'> & Partial<BallProblem>> {
  if (file === undefined || isTable(file)) {
    if (raw.index === undefined) {
      if (file !== undefined) throw missing('row', `NETWORK ${file} --index N`);
      throw missing('property', 'NETWORK PROPERTY.vnnlib, or NETWORK --index N');
    }
    const example = { path, raw, device, index: readNumber('--index', raw.index) };
    return file === undefined ? imageProperty(example) : rowProperty({ ...example, file });
  }
  const loaded = await loadNetwork(path, device);
  const text = new TextDecoder().decode(await readBytes(file));
  const property = readProperty(text, loaded);
  if (property.cases.length === 0)
    terminal.err('note: the property file admits no input, so the property holds trivially.');
  return { loaded, property, about: '' };
}

/** Refuses arguments and options that do not belong together, before anything is loaded. */
function checkTogether(network: string | undefined, property: string | undefined, raw: RawOptions & Switches): void {
  const { index, results, instances, out, overwrite, certificate, arithmetic, shard } = raw;
  const { dataset, data, label, epsilon, delta } = raw;
  const image = {
    ...{ '--index': index, '--dataset': dataset, '--data': data },
    ...{ '--label': label, '--epsilon': epsilon, '--delta': delta },
  };
  if (instances !== undefined) {
    const one = { ...image, '--results': results, '--certificate': certificate };
    refuseWith('--instances', { 'a network': network, 'a property file': property, ...one });
    return;
  }
  for (const [name, value] of Object.entries({ '--out': out, '--overwrite': overwrite, '--shard': shard })) {
    if (value === undefined) continue;
    throw new CertError('bad-argument', `${name} requires --instances.`, 'Leave it out, or give --instances FILE.csv.');
  }
  if (certificate !== undefined && arithmetic === 'nearest') {
    throw new CertError(
      'bad-argument',
      '--certificate was given with --arithmetic nearest.',
      'Leave out --arithmetic, or give real or deployed: a certificate needs one of these.',
    );
  }
  if (network === undefined) throw noNetwork();
  if (property !== undefined && !isTable(property)) refuseWith('a property file', image);
}

const noNetwork = () => missing('network', 'NETWORK PROPERTY, or --instances FILE.csv');

const missing = (what: string, usage: string) =>
  new CertError(
    'bad-argument',
    `No ${what} was given to cert verify.`,
    `Give ${usage}. For all options: ${calledAs()} verify --help`,
  );

const conflict = (a: string, b: string) =>
  new CertError('bad-argument', `${a} and ${b} were both given.`, 'Give one of them.');

function refuseWith(what: string, others: { readonly [name: string]: string | undefined }): void {
  const given = Object.entries(others).find(([, value]) => value !== undefined);
  if (given !== undefined) throw conflict(what, given[0]);
}
