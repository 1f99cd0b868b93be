import { fileURLToPath } from 'node:url';
import onnxProto from 'onnx-proto';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** From the name of a node that ran to where the traced function called TensorFlow.js for it; undefined where that is not known. */
export function callSites(model: Uint8Array): (node: string) => string | undefined {
  const nodes = onnxProto.onnx.ModelProto.decode(model).graph?.node ?? [];
  const sites = new Map(
    nodes.flatMap(({ name, docString }) => (name && docString ? [[name, shortSite(docString)] as const] : [])),
  );
  // A fused node is called `t124/MatMulAddFusion` after its first part.
  return (node) => sites.get(node) ?? sites.get(node.split('/')[0]!);
}

/**
 * `Object.relu (file:///.../packages/bounds/src/ibp.ts:52:22), gradient` as `packages/bounds/src/ibp.ts:52 Object.relu, gradient`.
 */
export function shortSite(site: string): string {
  const [, caller, place = site, gradient = ''] =
    /^(?:(.*) \()?(?:file:\/\/)?(.*?:\d+):\d+\)?(, gradient)?$/.exec(site) ?? [];
  const path = place.startsWith(ROOT) ? place.slice(ROOT.length) : place;
  return `${caller === undefined || caller === '<anonymous>' ? path : `${path} ${caller}`}${gradient}`;
}
