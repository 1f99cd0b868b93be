import { batchNorm, dense, type Regularizer, relu, sequential } from '@cert/core';
import { l1, reluBalance, reluStability, tightness, volume, weightedSum } from '@cert/regularizers';
import { describe, expect, it } from 'vitest';
import { idleBatchNorm, idleRegularizers } from './idle.js';

const linear = sequential([3], [dense(2)]);
const net = sequential([3], [dense(4), relu(), dense(2)]);

describe('idleRegularizers', () => {
  it('names those that find none of their ops in the model', () => {
    expect(idleRegularizers([tightness(), l1(), reluBalance()], linear, 'flat')).toBe(
      'The regularizers tightness, relu-balance act on the ops relu, but the model flat has none, so their terms are constant. Train without regularizers (--no-reg), or choose others (--regularizers).',
    );
    expect(idleRegularizers([weightedSum([[0.5, volume()]])], linear, 'flat')).toMatch(
      /^The regularizer 0\.5 \* volume acts on the ops relu, .*, so its term is constant/,
    );
    expect(idleRegularizers([reluStability()], linear, 'flat')).toContain('The regularizer relu-stability');
  });

  it('says nothing where each has something to act on', () => {
    const mixed = weightedSum([
      [1, tightness()],
      [1, l1()],
    ]);
    const own: Regularizer = { ...l1(), name: 'own' };
    for (const regularizers of [[], [l1()], [mixed], [own]]) {
      expect(idleRegularizers(regularizers, linear, 'flat')).toBeUndefined();
    }
    expect(idleRegularizers([tightness(), reluBalance()], net, 'net')).toBeUndefined();
  });
});

it('idleBatchNorm names a model without BatchNorm', () => {
  expect(idleBatchNorm(linear, 'flat')).toMatch(
    /^The model flat has no BatchNorm, so --precise-batch-norm changes nothing\./,
  );
  expect(idleBatchNorm(sequential([3], [dense(4), batchNorm(), dense(2)]), 'net')).toBeUndefined();
});
