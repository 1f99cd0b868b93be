import { ibp } from '@cert/bounds';
import { describe, expect, it } from 'vitest';
import { checkPlugin } from './plugin.js';

describe('checkPlugin', () => {
  it('takes a name alone, and every part', () => {
    expect(checkPlugin({ name: 'x' }, 'x')).toEqual({ name: 'x' });
    const rule = () => undefined;
    const whole = {
      name: 'x',
      ops: { op: { natural: rule, ibp: rule, linearRelaxation: rule } },
      boundMethods: { ibp },
      methods: { m: {} },
      ...{ objectives: { f: rule }, regularizers: { f: rule }, models: { f: rule }, datasets: { f: rule } },
      ...{ initializers: { f: rule }, optimizers: { f: rule } },
    };
    expect(checkPlugin(whole, 'x')).toBe(whole);
  });

  it.each<[string, unknown, string, string]>([
    ['a function', () => ({ name: 'x' }), 'p: the plug-in is a function.', 'A plug-in is an object'],
    ['an array', [], 'p: the plug-in is an array.', 'export default { name: "my-plugin"'],
    ['no name', { boundMethods: {} }, 'p: the plug-in has the name undefined.', 'Give it a name'],
    [
      'a part that is misspelled',
      { name: 'x', boundMethod: {} },
      'There is no part of a plug-in (p) "boundMethod".',
      'Did you mean "boundMethods"?',
    ],
    ['a part that is a list', { name: 'x', models: [] }, 'p: its models are an array.', 'models: { NAME: ... }'],
    ['a model', { name: 'x', models: { m: {} } }, 'p: models.m is an object.', 'It must be a function.'],
    ['a bound method', { name: 'x', boundMethods: { m: () => 1 } }, 'p: boundMethods.m is a function.', '"bound"'],
    [
      'a bound method under another name',
      { name: 'x', boundMethods: { m: ibp } },
      'p: boundMethods.m is an object.',
      'It must be a method of the same name, and not one named "ibp".',
    ],
    ['an op', { name: 'x', ops: { o: { ibp: () => 1 } } }, 'p: ops.o is an object.', 'a rule "natural"'],
    [
      'a rule for an unknown table',
      { name: 'x', ops: { o: { natural: () => 1, crown: () => 1 } } },
      'p: ops.o is an object.',
      'It must be an object of rules named natural, ibp, linearRelaxation, and nothing like "crown".',
    ],
    ['a method', { name: 'x', methods: { m: 'fast' } }, 'p: methods.m is a string.', 'an object of settings'],
  ])('refuses %s', (_name, value, problem, cure) => {
    expect(() => checkPlugin(value, 'p')).toThrow(
      expect.objectContaining({ code: 'bad-argument', problem, cure: expect.stringContaining(cure) }),
    );
  });
});
