/** From a certificate to a verdict: hashes, box, bounds, margins. */

import type { Bounds, Level } from './bounds.js';
import { sha256 } from './bytes.js';
import { type Certificate, readCertificate } from './certificate.js';
import { readCheckpoint } from './checkpoint.js';
import { readEvidence } from './evidence.js';
import { type Network, networkOf } from './graph.js';
import { same } from './layers.js';
import { marginBound, propagate } from './linear.js';
import { readOnnx } from './onnx.js';
import { demand, reasonOf } from './refused.js';

/** What the checker has found about one certificate. */
export interface Verdict {
  /** Whether everything that the certificate claims was derived. */
  readonly holds: boolean;
  /** What is claimed to be exact: `real`, the network over the real numbers; `deployed`, every float32 execution of it. Undefined where the certificate could not be read. */
  readonly level: Level | undefined;
  /** The claim in words, such as `label 3 within 0.1`; undefined where the certificate could not be read. */
  readonly property: string | undefined;
  /** Why the certificate is refused; undefined where it holds. */
  readonly reason?: string;
  /**
   * Lower bounds that were derived here: of logit_label - logit_j for every other class j in order, or of what each case of a linear property is
   * missed by; empty where no bounds could be derived.
   */
  readonly margins: readonly number[];
}

/** Reads a file that a certificate names by its path; rejects where there is none. */
export type ReadFile = (path: string) => Promise<Uint8Array>;

/** Reads a network, once its file is known to be the one that the certificate names. */
async function loadNetwork(named: Certificate['network'], readFile: ReadFile): Promise<Network> {
  // A copy: what was hashed is what is used, whatever happens to the bytes of the caller.
  const bytes = new Uint8Array(await readFile(named.path));
  const found = await sha256(bytes);
  demand(found === named.sha256, `the network file is not the one of the certificate: its SHA-256 is ${found}`);
  return networkOf(named.format === 'onnx' ? readOnnx(bytes) : readCheckpoint(bytes));
}

/** The tensors and shapes of the network must be those that the certificate names. */
function checkNetwork({ network: named, shape, classes }: Certificate, network: Network): void {
  for (const [name, hash] of network.tensors) {
    demand(named.tensors.get(name) === hash, `the SHA-256 of tensor "${name}" differs or is not listed`);
  }
  const extra = [...named.tensors.keys()].find((name) => !network.tensors.has(name));
  demand(extra === undefined, `the certificate lists the tensor "${extra}", which the network does not use`);
  const { inputShape } = network;
  demand(same(shape, inputShape), `the input has the shape [${shape}] and the network takes [${inputShape}]`);
  demand(classes === network.classes, `the network has ${network.classes} classes`);
}

/**
 * Makes a function that checks certificates and reads and hashes each network file once.
 *
 * The function never rejects: whatever is wrong, a file that cannot be read included, is the reason of a verdict that does not hold.
 *
 * @param readFile gets the `path` of the network as it stands in the certificate
 * @returns takes the certificate's JSON, or a promise of it
 */
export function createChecker(readFile: ReadFile): (certificateText: string | Promise<string>) => Promise<Verdict> {
  const networks = new Map<string, Promise<Network>>();
  return async (certificateText) => {
    let claim: Pick<Verdict, 'level' | 'property'> = { level: undefined, property: undefined };
    const margins: number[] = [];
    try {
      const certificate = await readCertificate(await certificateText);
      const { boxes, casesOf, level, evidence, network: named } = certificate;
      claim = { level, property: certificate.about };
      const key = JSON.stringify([named.path, named.format, named.sha256]);
      const network = networks.get(key) ?? loadNetwork(named, readFile);
      networks.set(key, network);
      checkNetwork(certificate, await network);
      const [{ layers }, cases] = [await network, casesOf()];
      demand(evidence.length === boxes.length, `there is evidence of ${evidence.length} boxes, not of ${boxes.length}`);
      let turned = Date.now();
      for (const [b, box] of boxes.entries()) {
        const { leaves, intermediate } = readEvidence(evidence[b]!, layers, box, cases);
        const boundsOf = (part: Bounds) => propagate(layers, part, level, intermediate === 'crown');
        const whole = boundsOf(box);
        for (const [k, rows] of cases.entries()) {
          for (const leaf of leaves[k]!) {
            // Timers and signals are served during a long check.
            if (Date.now() - turned > 50) {
              await new Promise((resolve) => setTimeout(resolve));
              turned = Date.now();
            }
            const values = leaf.part === box ? whole : boundsOf(leaf.part);
            const margin = marginBound(layers, values, level, rows[leaf.row]!, leaf);
            margins[k] = Math.min(margins[k] ?? Number.POSITIVE_INFINITY, margin);
          }
        }
      }
      // NaN is not above 0.
      const proved = margins.length > 0 && margins.every((margin) => margin > 0 && Number.isFinite(margin));
      demand(proved, `the margin is not proved: its lower bound is ${Math.min(...margins).toPrecision(3)}`);
      return { holds: true, ...claim, margins };
    } catch (error) {
      return { holds: false, ...claim, reason: reasonOf(error), margins };
    }
  };
}

/**
 * Checks one certificate: derives every bound again, with every rounding paid for, from the network's file and the certificate's evidence.
 * It never rejects; see {@link createChecker} for many certificates of one network.
 *
 * @param certificateText the certificate's JSON
 * @param readFile gets the `path` of the network as it stands in the certificate
 */
export const checkCertificate = (certificateText: string, readFile: ReadFile): Promise<Verdict> =>
  createChecker(readFile)(certificateText);
