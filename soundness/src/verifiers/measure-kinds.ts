import { crownIbp, ibp } from '@cert/bounds';
import type { Device } from '@cert/jit';
import { boundVerifier, crownVerifier, type Verifier } from '@cert/verify';
import type { AdversarialNetwork } from '../kinds/adversarial-network.js';
import { marginOf } from '../kinds/build.js';
import { accepts, logitsOn } from './on-device.js';

/** The verifiers that round to nearest. */
const NEAREST: readonly Verifier[] = [boundVerifier(ibp), boundVerifier(crownIbp), crownVerifier()];

/** What a device does with an adversarial network. */
export interface KindRow {
  readonly name: string;
  readonly refutesReal: boolean;
  /** The verifiers that call it verified. */
  readonly accepted: readonly string[];
  /** Whether the natural pass on this very device misclassifies the point of the counterexample. */
  readonly misclassified: boolean;
}

/** One row for each network. */
export async function measureKinds(
  device: Device,
  networks: readonly AdversarialNetwork[],
  verifiers: readonly Verifier[] = NEAREST,
): Promise<KindRow[]> {
  const rows: KindRow[] = [];
  for (const network of networks) {
    const { name, refutesReal, label, counterexample } = network;
    const accepted: string[] = [];
    for (const verifier of verifiers) {
      if (await accepts(device, verifier, network, network, label)) accepted.push(verifier.name);
    }
    const logits = await logitsOn(device, network, counterexample.point);
    rows.push({ name, refutesReal, accepted, misclassified: !(marginOf(logits, label) > 0) });
  }
  return rows;
}

/** Rows of several devices as a Markdown table. */
export function kindsTable(rows: { readonly [device: string]: readonly KindRow[] }): string {
  const devices = Object.keys(rows);
  const lines = rows[devices[0]!]!.map(({ name, refutesReal }, i) => {
    const cells = devices.flatMap((device) => {
      const { accepted, misclassified } = rows[device]![i]!;
      return [accepted.join(', ') || 'none', misclassified ? 'yes' : 'no'];
    });
    return [`\`${name}\``, refutesReal ? 'real, deployed' : 'deployed', ...cells];
  });
  const header = ['kind', 'refutes', ...devices.flatMap((device) => [`${device}: accepted by`, `${device} errs`])];
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [row(header), row(header.map(() => '---')), ...lines.map(row)].join('\n');
}
