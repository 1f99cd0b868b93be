import type { Model, Regularizer } from '@cert/core';

/**
 * What to say of regularizers that find nothing in a model that they act on: their terms are constant.
 *
 * @param name that of the model, for the message
 * @returns a message for people; `undefined` when every regularizer acts
 */
export function idleRegularizers(
  regularizers: readonly Regularizer[],
  { nodes }: Model,
  name: string,
): string | undefined {
  const idle = regularizers.filter(({ actsOn }) => actsOn && !nodes.some(({ op }) => actsOn.includes(op)));
  if (idle.length === 0) return undefined;
  const ops = [...new Set(idle.flatMap(({ actsOn = [] }) => actsOn))].join(', ');
  const [names, act, their] =
    idle.length === 1
      ? [`The regularizer ${idle[0]!.name}`, 'acts', 'its term is']
      : [`The regularizers ${idle.map((one) => one.name).join(', ')}`, 'act', 'their terms are'];
  return `${names} ${act} on the ops ${ops}, but the model ${name} has none, so ${their} constant. Train without regularizers (--no-reg), or choose others (--regularizers).`;
}

/**
 * What to say of `--precise-batch-norm` for a model without BatchNorm.
 *
 * @param name that of the model, for the message
 * @returns a message for people; `undefined` for a model with BatchNorm
 */
export const idleBatchNorm = ({ nodes }: Model, name: string): string | undefined =>
  nodes.some(({ op }) => op === 'batchNorm')
    ? undefined
    : `The model ${name} has no BatchNorm, so --precise-batch-norm changes nothing. Leave it out, or choose a model with BatchNorm (--bn full for architectures that support it).`;
