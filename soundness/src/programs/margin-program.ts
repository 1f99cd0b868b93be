import { INPUT } from '@cert/core';
import type { HostNetwork } from '../network.js';
import { type Ends, equationsOf, intervalsOf } from './equations.js';

/** What {@link marginProgram} is made of. */
export interface MarginProblem {
  readonly network: HostNetwork;
  /** The box of inputs. */
  readonly box: Ends;
  /** Coefficients of the outputs: what is minimized. */
  readonly row: ArrayLike<number>;
}

/** A program in CPLEX's LP format. */
export interface Program {
  readonly text: string;
  /** The names of the inputs' variables, in order. */
  readonly inputs: readonly string[];
}

/**
 * The minimum of a row of outputs over a box as a program with a variable for each neuron.
 *
 * @param relaxation bounds of the ReLUs' inputs, by node: then each unstable ReLU is the triangle on them, and the program is linear. Without, it
 * is the exact mixed-integer program, with a binary variable for each ReLU that interval bounds leave unstable (Tjeng et al. 2019).
 */
export function marginProgram(
  { network, box, row }: MarginProblem,
  relaxation?: { readonly [node: string]: Ends },
): Program {
  const equations = equationsOf(network);
  const intervals = intervalsOf(equations, box);
  const places = new Map([INPUT, ...equations.map(({ name }) => name)].map((name, place) => [name, place]));
  const variable = (node: string, index: number) => `x${places.get(node)}_${index}`;
  const constraints: string[] = [];
  const bounds: string[] = [];
  const binaries: string[] = [];
  const constrain = (constraint: string) => constraints.push(` c${constraints.length}: ${constraint}`);

  const inputs = Array.from(box.lower, (lower, i) => {
    bounds.push(` ${lower} <= ${variable(INPUT, i)} <= ${box.upper[i]}`);
    return variable(INPUT, i);
  });
  for (const node of equations) {
    if (node.kind === 'linear') {
      node.neurons.forEach(({ constant, terms }, i) => {
        const y = variable(node.name, i);
        const others = terms.map(({ node: from, index, weight }): Term => [-weight, variable(from, index)]);
        constrain(`${sumOf([[1, y], ...others])} = ${constant}`);
        bounds.push(` ${y} free`);
      });
      continue;
    }
    const { lower, upper } = relaxation?.[node.input] ?? intervals.get(node.input)!;
    for (let i = 0; i < node.size; i++) {
      const [l, u] = [lower[i]!, upper[i]!];
      const [z, y] = [variable(node.input, i), variable(node.name, i)];
      if (u <= 0) {
        bounds.push(` ${y} = 0`);
        continue;
      }
      // The default bounds of a variable are 0 and infinity.
      if (l >= 0) {
        constrain(`${y} - ${z} = 0`);
        continue;
      }
      constrain(`${y} - ${z} >= 0`);
      if (relaxation === undefined) {
        const active = `b${places.get(node.name)}_${i}`;
        binaries.push(active);
        constrain(`${y} - ${u} ${active} <= 0`);
        constrain(`${y} - ${z} + ${-l} ${active} <= ${-l}`);
      } else {
        constrain(`${u - l} ${y} - ${u} ${z} <= ${-u * l}`);
      }
    }
  }
  const last = network.model.nodes.at(-1)!.name;
  const objective = Array.from(row, (weight, j): Term => [weight, variable(last, j)]);
  const lines = ['Minimize', ` margin: ${sumOf(objective)}`, 'Subject To', ...constraints, 'Bounds', ...bounds];
  if (binaries.length > 0) lines.push('Binary', ...binaries.map((name) => ` ${name}`));
  return { text: [...lines, 'End'].join('\n'), inputs };
}

type Term = readonly [weight: number, variable: string];

const sumOf = (terms: readonly Term[]): string =>
  terms.map(([weight, name]) => `${weight < 0 ? '-' : '+'} ${Math.abs(weight)} ${name}`).join(' ');
