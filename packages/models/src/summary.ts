import { type Model, type Shape, sizeOf } from '@cert/core';

const total = (shapes: Readonly<Record<string, Shape>>) => Object.values(shapes).reduce((sum, s) => sum + sizeOf(s), 0);
/** Groups of three digits, the same in every locale. */
const grouped = (n: number) => String(n).replace(/\B(?=(\d{3})+$)/g, ',');

/**
 * Returns a model as a text table: name, op, inputs (if other than the previous row), output shape and number of parameters of each node,
 * then the totals. No newline at the end.
 */
export function summary(model: Model): string {
  const rows = [['node', 'op', 'inputs', 'shape', 'parameters']];
  let above = 'input';
  for (const { name, op, inputs, shape, params } of model.nodes) {
    const chained = inputs.length === 1 && inputs[0] === above;
    rows.push([name, op, chained ? '' : inputs.join(', '), `[${shape.join(', ')}]`, grouped(total(params))]);
    above = name;
  }
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const last = widths.length - 1;
  const lines = rows.map((row) =>
    row.map((cell, i) => (i === last ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!))).join('  '),
  );
  const parameters = model.nodes.reduce((sum, node) => sum + total(node.params), 0);
  const statistics = model.nodes.reduce((sum, node) => sum + total(node.stats), 0);
  return [
    lines[0]!,
    '-'.repeat(lines[0]!.length),
    ...lines.slice(1),
    '-'.repeat(lines[0]!.length),
    `input [${model.inputShape.join(', ')}], ${model.classes} classes`,
    `${grouped(parameters)} parameters, ${grouped(statistics)} running statistics`,
  ].join('\n');
}
