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
    ['no name', { boundMethods: {} }, 'p: the name of the plug-in is undefined.', 'Give the plug-in a name'],
    [
      'a part that is misspelled',
      { name: 'x', boundMethod: {} },
      'There is no part of a plug-in (p) "boundMethod".',
      'Did you mean "boundMethods"?',
    ],
    ['a part that is a list', { name: 'x', models: [] }, 'p: models is an array.', 'models: { NAME: ... }'],
    [
      'a model',
      { name: 'x', models: { m: {} } },
      'p: models.m is an object.',
      'It must be a function, or withOptions(options, make).',
    ],
    ['a bound method', { name: 'x', boundMethods: { m: () => 1 } }, 'p: boundMethods.m is a function.', '"bound"'],
    [
      'a bound method under another name',
      { name: 'x', boundMethods: { m: ibp } },
      'p: boundMethods.m is an object.',
      'It must be a method with the same name, but its name is "ibp".',
    ],
    ['an op', { name: 'x', ops: { o: { ibp: () => 1 } } }, 'p: ops.o is an object.', 'a rule "natural"'],
    [
      'a rule for an unknown table',
      { name: 'x', ops: { o: { natural: () => 1, crown: () => 1 } } },
      'p: ops.o is an object.',
      'It must be an object whose only properties are rules named natural, ibp, lines, linearRelaxation; "crown" is none of them.',
    ],
    ...(
      [
        ['in no camel case', { 'my-option': {} }, 'whose option "my-option" has a name in camel case'],
        [
          'of an unknown kind',
          { k: { kind: 'float' } },
          'option "k" has a kind, one of number, integer, boolean, choice, text',
        ],
        [
          'with a key that is misspelled',
          { k: { kind: 'number', least: 0 } },
          '"least" is not a property of a number option.',
        ],
        ['without help', { k: { kind: 'number', default: 1 } }, 'option "k" has a help text'],
        ['without a default', { k: { kind: 'number', help: 'x' } }, 'option "k" has a default'],
        ['without words', { k: { kind: 'choice', help: 'x', default: 'a' } }, 'lists its choices'],
        [
          'with an odd alias',
          { k: { kind: 'number', help: 'x', default: 1, alias: '-k' } },
          'an alias such as --kappa',
        ],
        [
          'with a default outside its domain',
          { k: { kind: 'number', help: 'x', default: 0, above: 0 } },
          'It must be an object whose option "k" has a valid default: --k is 0. Give a number > 0.',
        ],
        ['that are no object', 3, 'an object with options, an object of fields'],
      ] as const
    ).map(([name, options, cure]): [string, unknown, string, string] => [
      `an option ${name}`,
      { name: 'x', objectives: { o: { options, make: () => 1 } } },
      'p: objectives.o is an object.',
      cure,
    ]),
    ['a method', { name: 'x', methods: { m: 'fast' } }, 'p: methods.m is a string.', 'an object of settings'],
  ])('refuses %s', (_name, value, problem, cure) => {
    expect(() => checkPlugin(value, 'p')).toThrow(
      expect.objectContaining({ code: 'bad-argument', problem, cure: expect.stringContaining(cure) }),
    );
  });
});
