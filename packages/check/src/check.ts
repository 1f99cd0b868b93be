/** From a certificate to a verdict: hashes, box, bounds, margins. */
import { sha256 } from './bytes.js';
import { type Certificate, readCertificate } from './certificate.js';
import { enclose } from './exact.js';
import { type Bounds, type Level, propagate } from './ibp.js';
import { checkSlopes, marginBound } from './linear.js';
import { type Network, readNetwork } from './network.js';
import { demand } from './refused.js';
import { down, up } from './rounding.js';

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
  /** Lower bounds of logit_label - logit_j that were derived here, for every other class j in order; empty where no bounds could be derived. */
  readonly margins: readonly number[];
}

/** Reads a file that a certificate names by its path; rejects where there is none. */
export type ReadFile = (path: string) => Promise<Uint8Array>;

/** [x - epsilon, x + epsilon], clipped to the range, each end rounded outwards. */
function boxOf({ input, epsilon, range }: Certificate): Bounds {
  const radius = enclose(epsilon.exact).upper;
  const least = range === null ? Number.NEGATIVE_INFINITY : enclose(range.lower).lower;
  const most = range === null ? Number.POSITIVE_INFINITY : enclose(range.upper).upper;
  return {
    lower: Float64Array.from(input.data, (x) => Math.max(least, down(x - radius))),
    upper: Float64Array.from(input.data, (x) => Math.min(most, up(x + radius))),
  };
}

/** The network of a certificate must be the very file and the very tensors that it names. */
function checkNetwork(certificate: Certificate, hash: string, network: Network): void {
  demand(
    hash === certificate.network.sha256,
    `the network file is not the one of the certificate: its SHA-256 is ${hash}`,
  );
  for (const [name, tensor] of network.tensors) {
    demand(
      certificate.network.tensors.get(name) === tensor,
      `the SHA-256 of tensor "${name}" differs or is not listed`,
    );
  }
  const extra = [...certificate.network.tensors.keys()].find((name) => !network.tensors.has(name));
  demand(extra === undefined, `the certificate lists the tensor "${extra}", which the network does not use`);
  const { shape } = certificate.input;
  const fits = shape.length === network.inputShape.length && shape.every((n, i) => n === network.inputShape[i]);
  demand(fits, `the input has the shape [${shape}] and the network takes [${network.inputShape}]`);
  demand(certificate.classes === network.classes, `the network has ${network.classes} classes`);
}

/**
 * Makes a function that checks certificates and reads and hashes each network file once.
 *
 * The function never rejects: whatever is wrong, a file that cannot be read included, is the reason of a verdict that does not hold.
 *
 * @param readFile gets the `path` of the network as it stands in the certificate
 */
export function createChecker(readFile: ReadFile): (certificateText: string) => Promise<Verdict> {
  const networks = new Map<string, Promise<{ hash: string; network: Network }>>();
  const load = async (path: string) => {
    // A copy: what was hashed is what is used, whatever happens to the bytes of the caller.
    const bytes = new Uint8Array(await readFile(path));
    return { hash: await sha256(bytes), network: await readNetwork(bytes) };
  };

  return async (certificateText) => {
    let [level, property]: [Level | undefined, string | undefined] = [undefined, undefined];
    const margins: number[] = [];
    try {
      const certificate = await readCertificate(certificateText);
      level = certificate.level;
      property = `label ${certificate.label} within ${certificate.epsilon.text}`;
      const { path } = certificate.network;
      if (!networks.has(path)) networks.set(path, load(path));
      const { hash, network } = await networks.get(path)!;
      checkNetwork(certificate, hash, network);
      if (certificate.slopes !== null) checkSlopes(network, certificate.slopes);
      const values = propagate(network, boxOf(certificate), level);
      for (let other = 0; other < network.classes; other++) {
        if (other === certificate.label) continue;
        margins.push(marginBound(network, values, level, certificate.label, other, certificate.slopes));
      }
      const worst = Math.min(...margins);
      // NaN is not above 0.
      demand(
        margins.length === network.classes - 1 &&
          margins.every((margin) => margin > 0 && margin < Number.POSITIVE_INFINITY),
        `the margin is not proved: its lower bound is ${worst.toPrecision(3)}`,
      );
      return { holds: true, level, property, margins };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return { holds: false, level, property, reason, margins };
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
