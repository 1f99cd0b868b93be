import { basename, dirname, relative } from 'node:path';
import { gzipSync } from 'node:zlib';
import { checkCertificate } from '@cert/check';
import { CertError, type Property } from '@cert/core';
import { inputInFile, onnxInitializers } from '@cert/interchange';
import { sha256 } from '@cert/models';
import {
  type Certificate,
  type CertificateEvidence,
  type CertificateLevel,
  type CertifiedNetwork,
  certificateText,
  certifiedNetwork,
  createCertificate,
  createPropertyCertificate,
  type MissingEvidence,
  type ProofResult,
  type TreeEvidence,
} from '@cert/verify';
import type { BallOfImage } from './image.js';
import type { VerifiedNetwork } from './network.js';
import { clearOutput, writeOutput } from './output-file.js';

/** Options of {@link writeCertificate}. */
export interface CertificateOptions {
  /** Where to write. */
  readonly file: string;
  readonly loaded: VerifiedNetwork;
  readonly property: Property;
  /** Where the property is that of an image. */
  readonly ball: BallOfImage | undefined;
  readonly result: ProofResult;
}

/** Removes a certificate of an earlier run: it must not stand there when this run proves nothing. */
export async function prepareCertificate(file: string, { source }: VerifiedNetwork): Promise<void> {
  if (source.format === 'layers') {
    throw new CertError(
      'bad-argument',
      `${source.path} is a TensorFlow.js model, but the checker of certificates reads only ONNX files and checkpoints.`,
      'Save the network as a checkpoint, with readLayersModel of @cert/interchange and saveCheckpoint of @cert/models, and give the checkpoint.',
    );
  }
  if (source.path.endsWith('.gz')) {
    throw new CertError(
      'bad-argument',
      `${source.path} is compressed, but a certificate needs the uncompressed network file.`,
      'Decompress the network file.',
    );
  }
  await clearOutput(file);
}

/** What became of a certificate, in a sentence. */
export interface WrittenCertificate {
  readonly written: boolean;
  readonly sentence: string;
}

const notWritten = (why: string): WrittenCertificate => ({
  written: false,
  sentence: `No certificate was written: ${why}.`,
});

/** Writes the certificate of a proof, once the independent checker has accepted it. */
export async function writeCertificate(options: CertificateOptions): Promise<WrittenCertificate> {
  const { file, loaded, result } = options;
  const level = (['deployed', 'real'] as const).find((each) => result.evidence[each] !== undefined);
  if (level === undefined) return notWritten(result.missing ? REASONS[result.missing] : 'the property was not proved');
  const evidence = evidenceInFile(result.evidence[level]!, loaded);
  if (evidence === undefined) {
    return notWritten('the proof refers to ReLUs that are not Relu nodes of the network file');
  }
  const lower = result.lower[level] ?? Number.NaN;
  const text = certificateText(claimOf(options, { level, evidence, margin: lower }));
  const verdict = await checkCertificate(text, async () => new Uint8Array(loaded.source.bytes));
  if (!verdict.holds) return notWritten(`the checker would refuse it (${verdict.reason})`);
  await writeOutput(file, file.endsWith('.gz') ? gzipSync(text, { level: 9 }) : text);
  return { written: true, sentence: `Certificate: ${file} (level ${level}). Check it with: npx @cert/check ${file}` };
}

/** Why a result has no evidence. */
const REASONS: { readonly [missing in MissingEvidence]: string } = {
  op: 'the network has an op whose proofs do not account for rounding or cannot be checked',
  boxes:
    'the property does not require the same of the outputs for all its boxes of inputs, and a certificate does; verify a property file for each box instead',
  bounds: 'bounds of hidden neurons in float64 take too much time or memory',
  parts: 'the proof has too many parts',
  rounding: 'the float32 proof failed once rounding was accounted for, or the time limit was reached',
};

/** The certificate with inputs in the order of the network's file. */
function claimOf(
  { file, loaded, property, ball }: CertificateOptions,
  proved: { readonly level: CertificateLevel; readonly evidence: CertificateEvidence; readonly margin: number },
): Certificate {
  const { network, source } = loaded;
  const { model } = network;
  const shape = source.onnx === undefined ? model.inputShape : source.onnx.inputShape.slice(1);
  const path = relative(dirname(file), source.path) || basename(source.path);
  const common = { ...proved, network: networkOf(loaded, path), method: 'bab', shape };
  if (ball !== undefined) {
    const pixels = inputInFile(loaded, ball.pixels);
    return createCertificate({ ...common, ...ball, pixels, classes: model.classes });
  }
  const inFile = (ends: Float64Array) => Float64Array.from(loaded.inputOrder, (position) => ends[position]!);
  const cases = property.cases.map((one) => ({ ...one, lower: inFile(one.lower), upper: inFile(one.upper) }));
  return createPropertyCertificate({ ...common, property: { ...property, cases } });
}

/** A network file, by its hashes. */
function networkOf({ source: { bytes, onnx } }: VerifiedNetwork, path: string): CertifiedNetwork {
  if (onnx === undefined) return certifiedNetwork(bytes, path);
  const tensors = Object.entries(onnxInitializers(bytes)).map(([name, data]) => [name, sha256(data)]);
  return { path, format: 'onnx', sha256: sha256(bytes), tensors: Object.fromEntries(tensors) };
}

/** Evidence with the names and the neurons of the network's file; undefined where it has no such ReLU. */
function evidenceInFile(evidence: CertificateEvidence, loaded: VerifiedNetwork): CertificateEvidence | undefined {
  if (evidence.kind === 'tree') return treeInFile(evidence, loaded);
  if (evidence.kind !== 'boxes') return evidence;
  const boxes = evidence.boxes.flatMap((each) => (each.kind === 'tree' ? (treeInFile(each, loaded) ?? []) : each));
  return boxes.length === evidence.boxes.length ? { kind: 'boxes', boxes } : undefined;
}

function treeInFile(
  evidence: TreeEvidence,
  { source: { onnx }, inputOrder }: VerifiedNetwork,
): TreeEvidence | undefined {
  if (onnx === undefined) return evidence;
  const relus = new Map(
    onnx.relus.map(({ node, output, order }) => {
      const places = new Int32Array(order.length);
      order.forEach((position, i) => {
        places[position] = i;
      });
      return [node, { output, places }];
    }),
  );
  const named = evidence.cases.flat().flatMap((entry) => ('relu' in entry ? [entry.relu] : []));
  if (![...named, ...evidence.neurons.map(({ relu }) => relu)].every((relu) => relus.has(relu))) return undefined;
  const inputs = new Int32Array(inputOrder.length);
  inputOrder.forEach((position, i) => {
    inputs[position] = i;
  });
  const entryInFile = (entry: TreeEvidence['cases'][number][number]) => {
    if ('relu' in entry) return { relu: nameOf(entry.relu), neuron: neuronOf(entry.relu, entry.neuron) };
    return 'input' in entry ? { ...entry, input: inputs[entry.input]! } : entry;
  };
  const neuronOf = (relu: string, neuron: number) => relus.get(relu)!.places[neuron]!;
  const nameOf = (relu: string) => relus.get(relu)!.output;
  return {
    ...evidence,
    neurons: evidence.neurons.map(({ relu, neurons }) => ({
      relu: nameOf(relu),
      neurons: neurons.map((neuron) => neuronOf(relu, neuron)),
    })),
    cases: evidence.cases.map((entries) => entries.map(entryInFile)),
  };
}
