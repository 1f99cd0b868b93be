import { CertError } from './errors.js';
import { INPUT, type Model, type Node } from './model.js';

/**
 * Returns the part of a model behind a node: its input is the value of that node, its output that of the model. Nodes keep their names, so
 * that parameters and statistics of the model fit.
 *
 * @param from name of a node, or `input` for the whole model
 * @throws CertError `bad-argument` for an unknown node, for the last one, and if the part reads a node before `from` too (a shortcut past
 * it)
 */
export function subModel(model: Model, from: string): Model {
  if (from === INPUT) return model;
  const first = model.nodes.findIndex(({ name }) => name === from);
  if (first === -1 || first === model.nodes.length - 1) {
    throw new CertError(
      'bad-argument',
      first === -1 ? `The model has no node "${from}".` : `No node follows "${from}".`,
      `Give the name of a node before the last one: ${model.nodes
        .slice(0, -1)
        .map(({ name }) => name)
        .join(', ')}.`,
    );
  }
  const nodes: Node[] = [];
  const known = new Set([from]);
  for (const node of model.nodes.slice(first + 1)) {
    if (!node.inputs.some((input) => known.has(input))) continue;
    known.add(node.name);
    nodes.push({ ...node, inputs: node.inputs.map((input) => (input === from ? INPUT : input)) });
    const past = node.inputs.find((input) => !known.has(input));
    if (past === undefined) continue;
    throw new CertError(
      'bad-argument',
      `The model cannot be cut behind "${from}": "${node.name}" reads "${past}" too.`,
      'Cut behind a node that every path goes through, such as the last node of a residual block.',
    );
  }
  return { ...model, inputShape: model.nodes[first]!.shape, nodes };
}
